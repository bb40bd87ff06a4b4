"""What a container does to the tap, without a daemon that runs containers.

```
sealed          a root of mounts that is read only, a user that is nobody, a limit of memory
loader          a loader of some lines, as a program of its own
test_container  the example's script under these conditions
test_files      Dockerfile and CronJob, which cannot be built here, are read
```
"""
