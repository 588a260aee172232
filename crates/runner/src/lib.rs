//! A pure plan, walked over a stage: bring up, sample, drain, bring down.
