# SPDX-License-Identifier: GPL-2.0-only
"""Which system calls what compiles or runs a patch may make: those of compilers, make and QEMU.

A container shares the host's kernel, so each call that is not needed is a door less. Everything
that is not named here answers ENOSYS, as if this kernel did not have it: that is what programs are
prepared for. Only calls of the host's own architecture can be made at all.
"""

import json
from typing import Any

_FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr
flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate getcwd getdents getdents64
getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link
linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat
newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr
splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink
unlinkat utime utimensat utimes vmsplice write writev
"""
_MEMORY = """
brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
munlockall munmap pkey_alloc pkey_free pkey_mprotect get_mempolicy mbind set_mempolicy shmat shmctl
shmdt shmget
"""
_PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_waitv
get_robust_list getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid
getpriority getrandom getresgid getresuid getrlimit getrusage getsid gettid getuid kill nanosleep
pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
set_robust_list set_tid_address setgid setgroups setitimer setpgid setpriority setregid setresgid
setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill time times tkill uname vfork
wait4 waitid
"""
_WAITING = """
accept accept4 bind clock_getres clock_gettime clock_nanosleep connect epoll_create epoll_create1
epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 getpeername getsockname getsockopt
gettimeofday listen poll ppoll pselect6 recvfrom recvmmsg recvmsg select sendmmsg sendmsg sendto
semctl semget semop semtimedop setsockopt shutdown signalfd signalfd4 socketpair timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime
"""
_ENOSYS = 38
_AF_UNIX = 1
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h.
_NEW_NAMESPACES = 0x7E020000
#: PER_LINUX, and the question which personality there is.
_PERSONALITIES = (0, 0xFFFFFFFF)


def profile() -> str:
    """Return the profile as JSON, in the form that Docker's API takes."""
    names = f"{_FILES} {_MEMORY} {_PROCESSES} {_WAITING}".split()
    rules = [
        _rule(names),
        # No network but sockets between processes: neither AF_INET, nor AF_VSOCK to a hypervisor.
        _rule(["socket"], {"value": _AF_UNIX, "op": "SCMP_CMP_EQ"}),
        _rule(["clone"], {"value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}),
        *(_rule(["personality"], {"value": one, "op": "SCMP_CMP_EQ"}) for one in _PERSONALITIES),
        # Its flags are behind a pointer, where no filter sees them; libraries then use clone. Said
        # again for engines before 23.0, which know no default but EPERM.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    ]
    whole = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        "syscalls": rules,
    }
    return json.dumps(whole)


def _rule(names: list[str], *arguments: dict[str, Any]) -> dict[str, Any]:
    args = [{"index": 0, "valueTwo": 0} | one for one in arguments]
    return {"names": names, "action": "SCMP_ACT_ALLOW", "args": args}
