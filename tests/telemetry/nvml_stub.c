/*
 * A libnvidia-ml.so.1 that replays what a script says, for tests on machines without a GPU.
 *
 * The script is the file named by NVML_STUB. A line is a word and its values; "card UUID" begins a card,
 * "mig UUID" an instance on it, and what stands before the first card is of the library. "#" begins a comment.
 *
 *   driver TEXT                  the driver's version
 *   card UUID / mig UUID
 *   name TEXT
 *   memory TOTAL USED RESERVED   bytes; the older call counts the reserved ones as used
 *   power MILLIWATTS
 *   energy MILLIJOULES PER_S     the counter at nvmlInit, and how it grows
 *   utilization GPU MEMORY       percent
 *   temperature CELSIUS
 *   clocks SM MEMORY             MHz
 *   reasons MASK
 *   limits POWER ENFORCED SLOWDOWN   milliwatts and degrees
 *   max_clocks SM MEMORY         MHz
 *   link ECC GENERATION WIDTH
 *   follow FILE BYTES LINGER_S   the process whose id is in the file holds so much for as long as it lives, and for
 *                                LINGER_S after that nobody does
 *   compute PID BYTES [INSTANCE] a process; -1 bytes: not available
 *   graphics PID BYTES [INSTANCE]
 *   error CALL CODE [AFTER]      from the AFTERth call on (0: from the first) CALL returns CODE
 *   hang CALL [AFTER]            likewise, and never returns
 *
 * CALL is the function's name without "nvml" and "DeviceGet", or * for all of that card. What a card has no line
 * for, it does not support. stub_open() tells how often the library is open.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MOST 16

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9, FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, RESET_REQUIRED = 16, UNKNOWN = 999
};

typedef unsigned long long u64;

struct rule { char call[64]; int code; long after; long calls; };
struct process { unsigned pid; u64 bytes; unsigned instance; int graphics; };
struct device {
    char uuid[96], name[96];
    struct device *parent;
    u64 memory[3], power, energy[2], utilization[2], temperature, clocks[2], reasons;
    u64 limits[3], max_clocks[2], link[3], follow[2];
    char follow_path[256];
    struct timespec follow_died;
    int follow_lived;
    int has_limits, has_max_clocks, has_link;
    int has_memory, has_power, has_energy, has_utilization, has_temperature, has_clocks, has_reasons, has_processes;
    struct process processes[MOST];
    int process_count;
    struct rule rules[MOST];
    int rule_count;
};

static struct device library, devices[MOST];
static int device_count, open_count, is_read;
static char driver[80] = "0";
static struct timespec started;

static u64 number(const char *text) { return text == NULL ? 0 : strtoull(text, NULL, 0); }

static void read_line(char *line, struct device **now)
{
    char *word = strtok(line, " \t\n");
    if (word == NULL || word[0] == '#')
        return;
    if (!strcmp(word, "name") || !strcmp(word, "driver")) {
        char *text = strtok(NULL, "\n");
        snprintf(word[0] == 'n' ? (*now)->name : driver, 80, "%s", text ? text : "");
        return;
    }
    char *value[4] = {0};
    for (int place = 0; place < 4; place++)
        value[place] = strtok(NULL, " \t\n");
    struct device *device = *now;
    if (!strcmp(word, "card") || !strcmp(word, "mig")) {
        struct device *card = device != &library && device->parent ? device->parent : device;
        *now = &devices[device_count++];
        snprintf((*now)->uuid, sizeof (*now)->uuid, "%s", value[0] ? value[0] : "");
        (*now)->parent = word[0] == 'm' ? card : NULL;
        (*now)->has_processes = 1;
    } else if (!strcmp(word, "memory")) {
        device->has_memory = 1;
        for (int place = 0; place < 3; place++)
            device->memory[place] = number(value[place]);
    } else if (!strcmp(word, "power")) {
        device->has_power = 1;
        device->power = number(value[0]);
    } else if (!strcmp(word, "energy")) {
        device->has_energy = 1;
        device->energy[0] = number(value[0]);
        device->energy[1] = number(value[1]);
    } else if (!strcmp(word, "utilization")) {
        device->has_utilization = 1;
        device->utilization[0] = number(value[0]);
        device->utilization[1] = number(value[1]);
    } else if (!strcmp(word, "temperature")) {
        device->has_temperature = 1;
        device->temperature = number(value[0]);
    } else if (!strcmp(word, "clocks")) {
        device->has_clocks = 1;
        device->clocks[0] = number(value[0]);
        device->clocks[1] = number(value[1]);
    } else if (!strcmp(word, "reasons")) {
        device->has_reasons = 1;
        device->reasons = number(value[0]);
    } else if (!strcmp(word, "limits")) {
        device->has_limits = 1;
        for (int place = 0; place < 3; place++)
            device->limits[place] = number(value[place]);
    } else if (!strcmp(word, "max_clocks")) {
        device->has_max_clocks = 1;
        device->max_clocks[0] = number(value[0]);
        device->max_clocks[1] = number(value[1]);
    } else if (!strcmp(word, "link")) {
        device->has_link = 1;
        for (int place = 0; place < 3; place++)
            device->link[place] = number(value[place]);
    } else if (!strcmp(word, "follow")) {
        snprintf(device->follow_path, sizeof device->follow_path, "%s", value[0] ? value[0] : "");
        device->follow[0] = number(value[1]);
        device->follow[1] = number(value[2]);
    } else if (!strcmp(word, "compute") || !strcmp(word, "graphics")) {
        struct process *process = &device->processes[device->process_count++];
        process->pid = (unsigned)number(value[0]);
        process->bytes = number(value[1]);
        process->instance = value[2] ? (unsigned)number(value[2]) : 0xFFFFFFFF;
        process->graphics = word[0] == 'g';
    } else if (!strcmp(word, "error") || !strcmp(word, "hang")) {
        struct rule *rule = &device->rules[device->rule_count++];
        snprintf(rule->call, sizeof rule->call, "%s", value[0] ? value[0] : "");
        rule->code = word[0] == 'h' ? -1 : (int)number(value[1]);
        rule->after = (long)number(value[word[0] == 'h' ? 1 : 2]);
    } else {
        fprintf(stderr, "NVML_STUB: unknown word %s\n", word);
        abort();
    }
}

static void read_script(void)
{
    const char *path = getenv("NVML_STUB");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    struct device *now = &library;
    is_read = 1;
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file))
        read_line(line, &now);
    fclose(file);
}

/* The process that is followed, 0 when it is not there; and the bytes that it holds, also after its death. */
static unsigned followed(struct device *device, u64 *bytes)
{
    unsigned pid = 0;
    FILE *file = device->follow_path[0] ? fopen(device->follow_path, "r") : NULL;
    *bytes = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%u", &pid) != 1)
        pid = 0;
    fclose(file);
    if (pid && !kill((pid_t)pid, 0)) {
        device->follow_lived = 1;
        *bytes = device->follow[0];
        return pid;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (device->follow_lived == 1) {
        device->follow_died = now;
        device->follow_lived = 2;
    }
    if (device->follow_lived && (u64)(now.tv_sec - device->follow_died.tv_sec) < device->follow[1])
        *bytes = device->follow[0];
    return 0;
}

/* What the script says of this call, on the device or on the card that it is a part of. */
static int ruled(struct device *device, const char *call)
{
    for (; device != NULL; device = device->parent)
        for (int place = 0; place < device->rule_count; place++) {
            struct rule *rule = &device->rules[place];
            if (strcmp(rule->call, "*") && strcmp(rule->call, call))
                continue;
            if (rule->calls++ < rule->after)
                continue;
            while (rule->code < 0)
                pause();
            if (rule->code)
                return rule->code;
        }
    return SUCCESS;
}

static int entered(void *handle, const char *call, int supported)
{
    if (!open_count)
        return UNINITIALIZED;
    int code = ruled(handle ? handle : &library, call);
    return code ? code : supported ? SUCCESS : NOT_SUPPORTED;
}

EXPORT int stub_open(void) { return open_count; }

EXPORT int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    if (!is_read)
        read_script();
    int code = ruled(&library, "Init");
    if (code)
        return code;
    if (!open_count++)
        clock_gettime(CLOCK_MONOTONIC, &started);
    return SUCCESS;
}
EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void)
{
    if (!open_count)
        return UNINITIALIZED;
    open_count--;
    return SUCCESS;
}

EXPORT const char *nvmlErrorString(int code)
{
    switch (code) {
    case UNINITIALIZED: return "Uninitialized";
    case NOT_SUPPORTED: return "Not Supported";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    case RESET_REQUIRED: return "GPU requires reset";
    case UNKNOWN: return "Unknown Error";
    default: return "Some Error";
    }
}

EXPORT int nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    snprintf(text, length, "%s", driver);
    return entered(NULL, "SystemGetDriverVersion", 1);
}
EXPORT int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12080; return entered(NULL, "Cuda", 1); }
EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }

EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 0;
    for (int place = 0; place < device_count; place++)
        *count += devices[place].parent == NULL;
    return entered(NULL, "Count", 1);
}

static int nth(struct device *parent, unsigned index, void **handle)
{
    for (int place = 0; place < device_count; place++)
        if (devices[place].parent == parent && !index--) {
            *handle = &devices[place];
            return SUCCESS;
        }
    return parent ? NOT_FOUND : INVALID_ARGUMENT;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    int code = nth(NULL, index, handle);
    return code ? code : entered(*handle, "HandleByIndex", 1);
}

EXPORT int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending)
{
    void *instance;
    *current = *pending = nth(handle, 0, &instance) == SUCCESS;
    return entered(handle, "MigMode", *current);
}
/* As real cards do it: seven places, not all of them taken. */
EXPORT int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count)
{
    *count = 7;
    return entered(handle, "MaxMigDeviceCount", 1);
}
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance)
{
    int code = entered(handle, "MigDeviceHandleByIndex", 1);
    return code ? code : nth(handle, index, instance);
}

EXPORT int nvmlDeviceGetUUID(struct device *device, char *text, unsigned length)
{
    snprintf(text, length, "%s", device->uuid);
    return entered(device, "UUID", device->uuid[0]);
}
EXPORT int nvmlDeviceGetName(struct device *device, char *text, unsigned length)
{
    snprintf(text, length, "%s", device->name);
    return entered(device, "Name", device->name[0]);
}

EXPORT int nvmlDeviceGetMemoryInfo(struct device *device, u64 info[3])
{
    u64 more;
    followed(device, &more);
    info[0] = device->memory[0];
    info[2] = device->memory[1] + device->memory[2] + more;
    info[1] = info[0] - info[2];
    return entered(device, "MemoryInfo", device->has_memory);
}
struct memory_v2 { unsigned version; u64 total, reserved, free, used; };
EXPORT int nvmlDeviceGetMemoryInfo_v2(struct device *device, struct memory_v2 *info)
{
    u64 more;
    followed(device, &more);
    info->total = device->memory[0];
    info->used = device->memory[1] + more;
    info->reserved = device->memory[2];
    info->free = info->total - info->used - info->reserved;
    return entered(device, "MemoryInfo_v2", device->has_memory);
}

struct process_v2 { unsigned pid; u64 bytes; unsigned gpu_instance, compute_instance; };
static int processes(struct device *device, const char *call, int graphics, unsigned *count, struct process_v2 *found)
{
    int code = entered(device, call, device->has_processes);
    unsigned room = *count;
    if (code)
        return code;
    *count = 0;
    for (int place = 0; place < device->process_count; place++) {
        struct process *process = &device->processes[place];
        if (process->graphics != graphics)
            continue;
        if (*count < room)
            found[*count] = (struct process_v2){process->pid, process->bytes, process->instance, process->instance};
        ++*count;
    }
    u64 bytes;
    unsigned pid = graphics ? 0 : followed(device, &bytes);
    if (pid) {
        if (*count < room)
            found[*count] = (struct process_v2){pid, bytes, 0xFFFFFFFF, 0xFFFFFFFF};
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}
#define PROCESSES(NAME, GRAPHICS) \
    EXPORT int nvmlDeviceGet##NAME(struct device *device, unsigned *count, struct process_v2 *found) \
    { return processes(device, #NAME, GRAPHICS, count, found); }
PROCESSES(ComputeRunningProcesses_v3, 0)
PROCESSES(ComputeRunningProcesses_v2, 0)
PROCESSES(GraphicsRunningProcesses_v3, 1)
PROCESSES(GraphicsRunningProcesses_v2, 1)

EXPORT int nvmlDeviceGetPowerUsage(struct device *device, unsigned *milliwatts)
{
    *milliwatts = (unsigned)device->power;
    return entered(device, "PowerUsage", device->has_power);
}
EXPORT int nvmlDeviceGetTotalEnergyConsumption(struct device *device, u64 *millijoules)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - started.tv_sec) + (double)(now.tv_nsec - started.tv_nsec) / 1e9;
    *millijoules = device->energy[0] + (u64)(seconds * (double)device->energy[1]);
    return entered(device, "TotalEnergyConsumption", device->has_energy);
}
EXPORT int nvmlDeviceGetUtilizationRates(struct device *device, unsigned percent[2])
{
    percent[0] = (unsigned)device->utilization[0];
    percent[1] = (unsigned)device->utilization[1];
    return entered(device, "UtilizationRates", device->has_utilization);
}
EXPORT int nvmlDeviceGetTemperature(struct device *device, int sensor, unsigned *celsius)
{
    (void)sensor;
    *celsius = (unsigned)device->temperature;
    return entered(device, "Temperature", device->has_temperature);
}
struct temperature { unsigned version; int sensor, celsius; };
EXPORT int nvmlDeviceGetTemperatureV(struct device *device, struct temperature *temperature)
{
    temperature->celsius = (int)device->temperature;
    return entered(device, "TemperatureV", device->has_temperature);
}
EXPORT int nvmlDeviceGetClockInfo(struct device *device, int type, unsigned *mhz)
{
    *mhz = (unsigned)device->clocks[type == 2];
    return entered(device, "ClockInfo", device->has_clocks);
}
EXPORT int nvmlDeviceGetCurrentClocksEventReasons(struct device *device, u64 *mask)
{
    *mask = device->reasons;
    return entered(device, "CurrentClocksEventReasons", device->has_reasons);
}
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(struct device *device, u64 *mask)
{
    *mask = device->reasons;
    return entered(device, "CurrentClocksThrottleReasons", device->has_reasons);
}
#define NUMBER(NAME, FIELD, PLACE) \
    EXPORT int nvmlDeviceGet##NAME(struct device *device, unsigned *value) \
    { *value = (unsigned)device->FIELD[PLACE]; return entered(device, #NAME, device->has_##FIELD); }
NUMBER(PowerManagementLimit, limits, 0)
NUMBER(EnforcedPowerLimit, limits, 1)
NUMBER(MaxPcieLinkGeneration, link, 1)
NUMBER(CurrPcieLinkWidth, link, 2)
EXPORT int nvmlDeviceGetTemperatureThreshold(struct device *device, int type, unsigned *celsius)
{
    *celsius = (unsigned)device->limits[2];
    return entered(device, "TemperatureThreshold", device->has_limits && type == 1);
}
EXPORT int nvmlDeviceGetMaxClockInfo(struct device *device, int type, unsigned *mhz)
{
    *mhz = (unsigned)device->max_clocks[type == 2];
    return entered(device, "MaxClockInfo", device->has_max_clocks);
}
EXPORT int nvmlDeviceGetEccMode(struct device *device, int *current, int *pending)
{
    *current = *pending = (int)device->link[0];
    return entered(device, "EccMode", device->has_link);
}
