# In place of malloc, free, new and delete, in all that is linked: an object, as those of own.sh.
# Where the C library asks the kernel for each large block, and gives it back, this one keeps them for a while.
"$CC" -Os -w -DNDEBUG -DMI_MALLOC_OVERRIDE -D__USE_ISOC11 -fvisibility=hidden -ftls-model=local-exec \
  -ffunction-sections -fdata-sections -I"$tree/include" -c "$tree/src/static.c" -o "$prefix/lib/mimalloc.o"
