//! The seccomp filter that stops a traced process at creating calls only.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::calls::CREATORS;

/// Builds the filter. It also stops at `mmap` of executable memory, after which the module list is read again.
///
/// # Errors
///
/// If `seccompiler` does not support the architecture.
pub(crate) fn program() -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CREATORS.iter().map(|c| (c.number, Vec::new())).collect();
    let duplicates = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC]
        .into_iter()
        .map(|command| rule(1, SeccompCmpOp::Eq, command as u64))
        .collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_fcntl, duplicates);
    let executable = libc::PROT_EXEC as u64;
    rules.insert(
        libc::SYS_mmap,
        vec![rule(2, SeccompCmpOp::MaskedEq(executable), executable)?],
    );
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Trace(0), ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}
