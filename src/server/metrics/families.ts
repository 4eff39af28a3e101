/** What a figure is: `counter` only ever grows while what counts it lives, `gauge` is how it is now. */
export interface Family {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

const app = ["space", "app"] as const;
const instance = [...app, "process", "release", "instance_id", "machine"] as const;
const route = [...app, "process", "route", "release", "machine"] as const;

/**
 * All that is told, by name. Names and units follow https://prometheus.io/docs/practices/naming/. A label is never called "instance" or "job":
 * those are what Prometheus calls the server that it asked.
 */
export const families = {
  drover_build_info: { type: "gauge", labels: ["version"], help: "The version of the server; always 1." },
  drover_start_time_seconds: { type: "gauge", labels: [], help: "When the server was started, in seconds since the epoch." },
  drover_store_revision: { type: "gauge", labels: [], help: "Revision of the store: rises with every change." },
  drover_problems: {
    type: "gauge",
    labels: ["code"],
    help: "What is wrong with the installation as a whole, by code; drover status has the words.",
  },

  drover_app_health: { type: "gauge", labels: [...app, "health"], help: "1 for the health that the app has." },
  drover_app_release: { type: "gauge", labels: app, help: "Number of the active release." },
  drover_app_instances_wanted: { type: "gauge", labels: app, help: "How many instances the app is to have." },
  drover_app_instances_ready: { type: "gauge", labels: app, help: "How many of them are ready." },

  drover_instance_ready: { type: "gauge", labels: instance, help: "1 if the instance is ready." },
  drover_instance_restarts_total: { type: "counter", labels: instance, help: "How often the instance was started again." },
  drover_instance_cpu_seconds_total: {
    type: "counter",
    labels: instance,
    help: "Processor time since the instance's process was started.",
  },
  drover_instance_memory_bytes: { type: "gauge", labels: instance, help: "Memory that the instance's processes hold." },
  drover_instance_disk_read_bytes_total: {
    type: "counter",
    labels: instance,
    help: "Read from disks since the instance's process was started. Left out where the kernel does not say.",
  },
  drover_instance_disk_written_bytes_total: { type: "counter", labels: instance, help: "Written to them." },
  drover_instance_processes: { type: "gauge", labels: instance, help: "How many processes the instance consists of." },

  drover_scrape_up: {
    type: "gauge",
    labels: instance,
    help: "1 if figures were read from the instance, whose manifest says where it tells them; 0 if it did not answer as it should.",
  },
  drover_statsd_left_out_total: {
    type: "counter",
    labels: instance,
    help: "Lines and packets that the instance sent by statsd and that were none, or had no place.",
  },
  drover_scrape_series: { type: "gauge", labels: instance, help: "How many figures that were." },

  drover_route_requests_total: {
    type: "counter",
    labels: [...route, "class"],
    help: 'Requests by the class of their answer: 1xx to 5xx; "none" got no answer. `machine` is the one whose edge took them.',
  },
  drover_route_errors_total: { type: "counter", labels: route, help: "Answers of 500 and above, and requests that got none." },
  drover_route_request_bytes_total: { type: "counter", labels: route, help: "Body bytes of requests." },
  drover_route_response_bytes_total: { type: "counter", labels: route, help: "Bytes of answers." },
  drover_route_request_duration_seconds: { type: "histogram", labels: route, help: "From the request's head to the answer's end." },

  drover_machine_linked: { type: "gauge", labels: ["machine"], help: "1 if the machine's agent is linked." },
  drover_machine_cordoned: { type: "gauge", labels: ["machine"], help: "1 if the machine takes nothing new." },
  drover_machine_cores: { type: "gauge", labels: ["machine"], help: "Processor cores." },
  drover_machine_cpu_seconds_total: {
    type: "counter",
    labels: ["machine", "mode"],
    help: "Time of all cores: user, system, wait (for disks) or idle.",
  },
  drover_machine_load1: { type: "gauge", labels: ["machine"], help: "Load average over a minute." },
  drover_machine_memory_bytes: { type: "gauge", labels: ["machine"], help: "Memory that there is." },
  drover_machine_memory_available_bytes: { type: "gauge", labels: ["machine"], help: "Memory that programs could still get." },
  drover_machine_disk_bytes: { type: "gauge", labels: ["machine"], help: "Size of the disk that Drover's data are on." },
  drover_machine_disk_available_bytes: { type: "gauge", labels: ["machine"], help: "What is free of it." },
  drover_machine_network_received_bytes_total: { type: "counter", labels: ["machine"], help: "Received by all interfaces but loopback." },
  drover_machine_network_sent_bytes_total: { type: "counter", labels: ["machine"], help: "Sent by them." },
  drover_machine_pressure_seconds_total: {
    type: "counter",
    labels: ["machine", "resource"],
    help: "Time in which something waited for cpu, memory or io. Left out where the kernel does not say.",
  },
  drover_program_cpu_seconds_total: {
    type: "counter",
    labels: ["machine", "program"],
    help: "Processor time of Drover's own server, agent and edge.",
  },
  drover_program_memory_bytes: { type: "gauge", labels: ["machine", "program"], help: "Memory that they hold." },
  drover_edge_linked: { type: "gauge", labels: ["machine"], help: "1 if the machine's edge is linked." },

  drover_check_failing: {
    type: "gauge",
    labels: ["space", "check", "target", "level"],
    help: "1 while the check fails, 0 while it passes; left out while nobody knows.",
  },
  drover_figures_series: { type: "gauge", labels: [], help: "Figures that are followed over time." },
  drover_figures_refused: { type: "gauge", labels: [], help: "Figures that are not, because there are too many." },
  drover_figures_disk_bytes: { type: "gauge", labels: [], help: "What figures over time take on the server's disk." },
  drover_escalations_open: { type: "gauge", labels: ["space", "state"], help: "Escalations that have not ended, by state." },
} as const satisfies Readonly<Record<string, Family>>;

/** What a figure of Drover's own is; null for others. */
export function familyOf(name: string): Family | null {
  return Object.hasOwn(families, name) ? families[name as FamilyName] : null;
}

export type FamilyName = keyof typeof families;
export type LabelsOf<F extends FamilyName> = Readonly<Record<(typeof families)[F]["labels"][number], string>>;
/** Names of the families whose samples are single figures. */
export type PlainFamily = { [F in FamilyName]: (typeof families)[F]["type"] extends "histogram" ? never : F }[FamilyName];
export type HistogramFamily = Exclude<FamilyName, PlainFamily>;
