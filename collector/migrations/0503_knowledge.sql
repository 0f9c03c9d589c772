-- Articles: versions, two languages, two audiences, and the words they are found by.

CREATE TABLE articles (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    -- Of the newest version; an older one can be published meanwhile.
    state      TEXT NOT NULL CHECK (state IN ('draft', 'review', 'published', 'retired')),
    version    BIGINT NOT NULL,
    -- 0: none.
    published  BIGINT NOT NULL,
    ticket_id  TEXT,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX articles_updated ON articles (updated_ms, id);

CREATE TABLE article_versions (
    article_id  TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    version     BIGINT NOT NULL,
    author      TEXT NOT NULL,
    author_id   TEXT NOT NULL,
    created_ms  BIGINT NOT NULL,
    note        TEXT NOT NULL,
    reviewed_by TEXT,
    reviewed_ms BIGINT,
    PRIMARY KEY (article_id, version)
);

CREATE TABLE article_texts (
    article_id TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    version    BIGINT NOT NULL,
    language   TEXT NOT NULL CHECK (language IN ('en', 'zh-CN')),
    title      TEXT NOT NULL,
    problem    TEXT NOT NULL,
    affected   TEXT NOT NULL,
    cause      TEXT NOT NULL,
    fix_plain  TEXT NOT NULL,
    fix_expert TEXT NOT NULL,
    verify     TEXT NOT NULL,
    rollback   TEXT NOT NULL,
    workaround TEXT NOT NULL,
    PRIMARY KEY (article_id, version, language)
);

CREATE TABLE article_signatures (
    article_id   TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    signature_id TEXT NOT NULL,
    PRIMARY KEY (article_id, signature_id)
);
CREATE INDEX article_signatures_signature ON article_signatures (signature_id);

-- Latin words, and pairs of neighbouring Chinese characters, of the newest and of the published version.
CREATE TABLE article_words (
    article_id TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    scope      TEXT NOT NULL CHECK (scope IN ('latest', 'published')),
    word       TEXT NOT NULL,
    weight     BIGINT NOT NULL,
    PRIMARY KEY (article_id, scope, word)
);
CREATE INDEX article_words_word ON article_words (word, scope);
