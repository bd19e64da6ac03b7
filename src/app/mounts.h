/* The mounts of a new mount namespace, kept apart from those it was made of (mount_namespaces(7)). */
#ifndef APP_MOUNTS_H
#define APP_MOUNTS_H

/* `propagation`: MS_PRIVATE or MS_SLAVE, for all mounts. 0 or -errno; -EINVAL where the root folder is no
 * mount point, as after chroot: then nothing can be mounted without being seen outside. */
int mounts_make(unsigned long propagation);
/* What went wrong, and for -EINVAL what to do. */
const char *mounts_error_text(int error);

#endif
