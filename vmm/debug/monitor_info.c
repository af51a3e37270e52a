/* The monitor's commands that tell: topics, once or each second; the log; the trace's switch. */
#include "debug/monitor.h"
#include "lib/log.h"
#include "lib/mem.h"

static const struct monitor_topic *find_topic(const struct monitor *monitor, const char *name)
{
    for (unsigned i = 0; i < monitor->ops->topic_count; i++)
        if (str_eq(monitor->ops->topic[i].name, name))
            return &monitor->ops->topic[i];
    return NULL;
}

static void show(struct monitor *monitor, const struct monitor_topic *topic)
{
    topic->print(monitor->ctx, monitor_sink(monitor));
}

static void list_topics(struct monitor *monitor)
{
    for (unsigned i = 0; i < monitor->ops->topic_count; i++)
        monitor_printf(monitor, "info %-10s %s\n", monitor->ops->topic[i].name,
                       monitor->ops->topic[i].help);
}

/* "log 100": the last hundred lines. */
static void show_log(struct monitor *monitor, const char *args)
{
    uint64_t lines = 20;

    if (*args && (!monitor_take(monitor, &args, &lines) || !monitor_end(monitor, args)))
        return;
    monitor->ops->print_log(monitor->ctx, monitor_sink(monitor),
                            lines > 1000 ? 1000
                            : lines      ? (unsigned)lines
                                         : 1);
}

void monitor_info(struct monitor *monitor, const char *args)
{
    char name[16];

    if (!*args) {
        list_topics(monitor);
        return;
    }
    bool fits = monitor_take_word(&args, name, sizeof(name));
    const struct monitor_topic *topic = fits ? find_topic(monitor, name) : NULL;
    if (!topic)
        monitor_printf(monitor, "nothing is known about that: \"info\" lists the topics\n");
    else if (!topic->print)
        show_log(monitor, args);
    else if (monitor_end(monitor, args))
        show(monitor, topic);
}

void monitor_exits(struct monitor *monitor, const char *args)
{
    if (monitor_end(monitor, args))
        monitor_info(monitor, "exits");
}

void monitor_top(struct monitor *monitor, const char *args)
{
    const struct monitor_topic *topic = find_topic(monitor, *args ? args : "exits");

    if (!topic || !topic->print) {
        monitor_printf(monitor, "there is no such topic to show each second\n");
        return;
    }
    monitor->live = topic;
    if (monitor->ops->begin_live)
        monitor->ops->begin_live(monitor->ctx);
    monitor_refresh(monitor);
}

void monitor_refresh(struct monitor *monitor)
{
    if (!monitor->live)
        return;
    monitor->room = MONITOR_ANSWER_MAX;
    monitor_printf(monitor, "\033[H\033[Jtop %s: any key ends it\n", monitor->live->name);
    show(monitor, monitor->live);
}

void monitor_end_live(struct monitor *monitor)
{
    monitor->live = NULL;
}

void monitor_log(struct monitor *monitor, const char *args)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_eq(args, names[i])) {
            log_set_level((enum log_level)i);
            monitor_printf(monitor, "pxHV prints %s now\n", names[i]);
            return;
        }
    }
    if (*args)
        monitor_printf(monitor, "the level is one of error, warn, info, debug\n");
    else
        monitor_printf(monitor, "pxHV prints %s; \"info log\" shows what it has printed\n",
                       names[log_get_level()]);
}

void monitor_trace(struct monitor *monitor, const char *args)
{
    bool on = str_eq(args, "on");

    if (!monitor->ops->trace)
        monitor_printf(monitor, "this pxHV has no exit trace\n");
    else if (!on && !str_eq(args, "off"))
        monitor_printf(monitor, "write \"trace on\" or \"trace off\"\n");
    else
        monitor->ops->trace(monitor->ctx, on);
}
