/* Numbers of system calls on macOS, by the list of its open-source kernel. Only what C code of common crates names. */
#ifndef BOWLINE_SYS_SYSCALL_H
#define BOWLINE_SYS_SYSCALL_H

#define SYS_syscall 0
#define SYS_exit 1
#define SYS_fork 2
#define SYS_read 3
#define SYS_write 4
#define SYS_open 5
#define SYS_close 6
#define SYS_getpid 20
#define SYS_kill 37
#define SYS_munmap 73
#define SYS_mprotect 74
#define SYS_madvise 75
#define SYS_fcntl 92
#define SYS_gettimeofday 116
#define SYS_mmap 197
#define SYS_lseek 199
#define SYS_getentropy 500

#endif
