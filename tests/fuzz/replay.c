/*
 * Runs a fuzz target over the files of its corpus without libFuzzer, so that any compiler's
 * sanitizers watch and `make test` needs no fuzzing time. Usage: fuzz_x DIRECTORY
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A fuzzer may leave these out; libFuzzer treats them as weak too. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* The bytes in an allocation of their exact size: ASan then sees the first byte read beyond. */
static uint8_t *read_all(const char *path, size_t *size)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) {
        perror(path);
        exit(2);
    }
    *size = (size_t)info.st_size;
    uint8_t *data = malloc(*size ? *size : 1);
    if (!data || fread(data, 1, *size, file) != *size) {
        fprintf(stderr, "%s: can't be read whole\n", path);
        exit(2);
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);

    struct dirent **entries;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    unsigned inputs = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
        bool hidden = entries[i]->d_name[0] == '.';
        free(entries[i]);
        if (hidden)
            continue;
        size_t size;
        uint8_t *data = read_all(path, &size);
        /* Printed first and flushed: a crash then names its input. */
        printf("%s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        inputs++;
    }
    if (count >= 0)
        free(entries);
    printf("replayed %u inputs\n", inputs);
    return inputs ? 0 : 1;
}
