/* replay: feeds files to a target that libFuzzer does not drive: those named, or all of its corpus (FUZZ_CORPUS/NAME
 * for fuzz_NAME). */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define PATH_ROOM 4096

__attribute__((weak)) int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

static unsigned replayed;

static int
replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data;

    if (!f || fstat(fileno(f), &st) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (f)
            fclose(f);
        return -1;
    }
    data = malloc(st.st_size ? (size_t)st.st_size : 1);
    FUZZ_REQUIRE(data && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size);
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one is to blame */
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    free(data);
    replayed++;
    return 0;
}

static int
replay(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int result = 0;

    if (!dir)
        return replay_file(path);
    while ((e = readdir(dir))) {
        char name[PATH_ROOM];

        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        result |= replay_file(name);
    }
    closedir(dir);
    return result;
}

int
main(int argc, char **argv)
{
    const char *name = strstr(program_invocation_short_name, "fuzz_");
    char corpus[PATH_ROOM];
    int result = 0;

    FUZZ_REQUIRE(name);
    snprintf(corpus, sizeof(corpus), "%s/%s", FUZZ_CORPUS, name + strlen("fuzz_"));
    LLVMFuzzerInitialize(&argc, &argv);
    if (argc < 2)
        result = replay(corpus);
    for (int i = 1; i < argc; i++)
        result |= replay(argv[i]);
    printf("%s: %u inputs\n", name, replayed);
    return result == 0 && replayed > 0 ? 0 : 1;
}
