//! A sync that fails or never returns, under the program as it is: a library that takes the place of the system's own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A failing one fails whatever is synced while the file of `FAIL_SYNC_WHILE` is there; a hanging one keeps whoever syncs
/// the store while that of `HANG_STORE_WHILE` is.
const CODE: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int there(const char *name) {
  const char *file = getenv(name);
  return file && access(file, F_OK) == 0;
}

static int sync_as_told(int fd, long call) {
  if (there("FAIL_SYNC_WHILE")) { errno = EIO; return -1; }
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  while (strstr(path, "callrated.db") && there("HANG_STORE_WHILE")) usleep(10000);
  return syscall(call, fd);
}

int fdatasync(int fd) { return sync_as_told(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_as_told(fd, SYS_fsync); }
"#;

/// The library; none without a C compiler.
pub fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("sync.c"), folder.join("sync.so"));
    std::fs::write(&source, CODE).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if built.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    eprintln!("skipped: no C compiler to make a sync that fails or hangs");
    None
}
