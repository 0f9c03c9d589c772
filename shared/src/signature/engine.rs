//! The compiled catalogue: every condition once, one prefilter over all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use thiserror::Error;

use super::condition;
use super::literal::rarity::Rarity;
use super::model::{Matcher, Rule, Signature};
use super::parse::Catalogue;
use super::plan::{Plan, Sampler};
use super::run::{Run, RunOptions};
use super::source::SourceMap;
use super::term::Term;

/// A catalogue that cannot be compiled.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A condition passed the checks and still does not compile.
    #[error("cannot compile signature {id}: {message}")]
    Condition {
        /// The signature.
        id: String,
        /// Why.
        message: String,
    },
    /// The prefilter refuses the literals.
    #[error("cannot build the prefilter")]
    Prefilter(#[source] aho_corasick::BuildError),
}

/// What a condition is to a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub rule: u32,
    /// Bit within the rule's positive or negative conditions.
    pub bit: u8,
    pub negative: bool,
}

/// A signature ready to run.
pub(super) struct Compiled {
    pub signature: Signature,
    /// Index of its rule's source among the engine's.
    pub source: u32,
    pub requires: Option<cel::Program>,
    pub suppress: Vec<cel::Program>,
}

impl Compiled {
    /// Its matching part.
    pub fn rule(&self) -> Option<&Rule> {
        self.signature.rule.as_ref()
    }
}

/// The compiled catalogue; shared between threads.
pub struct Engine {
    pub(super) compiled: Vec<Compiled>,
    pub(super) terms: Vec<Term>,
    /// For each term, the rules that use it.
    pub(super) uses: Vec<Vec<Use>>,
    /// Terms that no literal is required for.
    pub(super) always: Vec<u32>,
    /// The plan in force; a better one takes its place as scanning goes on.
    plan: RwLock<Arc<Plan>>,
    sampler: Mutex<Sampler>,
    /// Names of the sources that rules read.
    pub(super) source_names: Vec<String>,
    pub(super) sources: SourceMap,
}

impl Engine {
    /// Compiles a catalogue; drafts and retired signatures are left out.
    ///
    /// # Errors
    /// A condition does not compile, which the checks at loading should have said.
    pub fn new(catalogue: &Catalogue, sources: &SourceMap) -> Result<Self, EngineError> {
        let mut builder = Builder::default();
        for signature in catalogue.signatures.iter().filter(|s| s.is_active()) {
            builder.add(signature)?;
        }
        let plan =
            Plan::build(&builder.terms, Rarity::built_in()).map_err(EngineError::Prefilter)?;
        Ok(Self {
            plan: RwLock::new(Arc::new(plan)),
            sampler: Mutex::new(Sampler::new(builder.terms.len())),
            compiled: builder.compiled,
            terms: builder.terms,
            uses: builder.uses,
            always: builder.always,
            source_names: builder.source_names,
            sources: sources.clone(),
        })
    }

    /// Starts a run over the files of one bundle or host.
    pub fn run(&self, options: RunOptions) -> Run<'_> {
        Run::new(self, options)
    }

    /// The plan to scan the next slab with.
    pub(super) fn plan(&self) -> Arc<Plan> {
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&plan)
    }

    /// Learns from a slab, for which the filter looked so often and which gave so many candidates, what is
    /// common in these logs. Whatever is learnt, what is found is the same.
    pub(super) fn learn(&self, slab: &[u8], probes: usize, candidates: usize) {
        // Whoever is busy with the sampler has enough to learn from.
        let Ok(mut sampler) = self.sampler.try_lock() else {
            return;
        };
        let Some(sample) = sampler.take(slab, probes, candidates) else {
            return;
        };
        drop(sampler);
        if let Ok(better) = Plan::build(&self.terms, &Rarity::of(&sample)) {
            *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(better);
        }
    }

    /// How many signatures are in force.
    pub fn len(&self) -> usize {
        self.compiled.len()
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }
}

#[derive(Default)]
struct Builder {
    compiled: Vec<Compiled>,
    terms: Vec<Term>,
    uses: Vec<Vec<Use>>,
    by_matcher: HashMap<Matcher, u32>,
    always: Vec<u32>,
    source_names: Vec<String>,
}

impl Builder {
    fn source(&mut self, rule: Option<&Rule>) -> u32 {
        let name = rule.map_or("", |r| r.source.as_str());
        let known = self.source_names.iter().position(|s| s == name);
        known.unwrap_or_else(|| {
            self.source_names.push(name.to_owned());
            self.source_names.len() - 1
        }) as u32
    }

    fn add(&mut self, signature: &Signature) -> Result<(), EngineError> {
        let fault = |message: String| EngineError::Condition {
            id: signature.id.clone(),
            message,
        };
        let extension = signature.extension.as_ref();
        let requires = extension.and_then(|e| e.requires.as_ref());
        let requires = requires
            .map(|text| condition::compile(text))
            .transpose()
            .map_err(fault)?;
        let suppress = extension.map(|e| e.suppress.as_slice()).unwrap_or_default();
        let suppress: Result<Vec<_>, _> = suppress
            .iter()
            .map(|s| condition::compile(&s.when))
            .collect();
        let suppress = suppress.map_err(fault)?;
        let number = self.compiled.len() as u32;
        if let Some(rule) = signature.rule.as_ref().filter(|r| r.unsupported.is_none()) {
            for (bit, positive) in rule.positives.iter().enumerate() {
                let bit = bit as u8;
                self.term(
                    &positive.matcher,
                    Use {
                        rule: number,
                        bit,
                        negative: false,
                    },
                )
                .map_err(fault)?;
            }
            for (bit, negative) in rule.negatives.iter().enumerate() {
                let bit = bit as u8;
                self.term(
                    &negative.matcher,
                    Use {
                        rule: number,
                        bit,
                        negative: true,
                    },
                )
                .map_err(fault)?;
            }
        }
        let source = self.source(signature.rule.as_ref());
        self.compiled.push(Compiled {
            signature: signature.clone(),
            source,
            requires,
            suppress,
        });
        Ok(())
    }

    fn term(&mut self, matcher: &Matcher, used: Use) -> Result<(), String> {
        if let Some(&term) = self.by_matcher.get(matcher) {
            self.uses[term as usize].push(used);
            return Ok(());
        }
        let compiled = Term::compile(matcher)?;
        let term = self.terms.len() as u32;
        if compiled.branches.is_empty() {
            self.always.push(term);
        }
        self.by_matcher.insert(matcher.clone(), term);
        self.terms.push(compiled);
        self.uses.push(vec![used]);
        Ok(())
    }
}
