-- The words of documents by kind, so that what is asked for of one kind is not looked for among all documents of the other.

CREATE TABLE search_terms (
    word     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    document BIGINT NOT NULL REFERENCES search_documents (number) ON DELETE CASCADE,
    PRIMARY KEY (word, kind, document)
);
INSERT INTO search_terms (word, kind, document)
    SELECT w.word, d.kind, w.document FROM search_words w JOIN search_documents d ON d.number = w.document;
CREATE INDEX search_terms_document ON search_terms (document);
DROP TABLE search_words;
