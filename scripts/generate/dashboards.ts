/** Grafana dashboards over what `GET /metrics` tells: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ */

interface Panel {
  readonly title: string;
  readonly unit: "short" | "percentunit" | "bytes" | "Bps" | "reqps" | "s" | "none";
  readonly queries: readonly (readonly [expression: string, legend: string])[];
  /** One figure in place of a graph. */
  readonly isStat?: true;
}

interface Dashboard {
  readonly title: string;
  readonly description: string;
  /** Labels that are chosen at its top, each from the values that a metric has. */
  readonly variables: readonly (readonly [label: string, metric: string, where?: string])[];
  readonly panels: readonly Panel[];
}

const graph = (title: string, unit: Panel["unit"], ...queries: Panel["queries"]): Panel => ({ title, unit, queries });
const stat = (title: string, unit: Panel["unit"], expression: string): Panel => ({
  title,
  unit,
  queries: [[expression, ""]],
  isStat: true,
});

const ofApp = 'space=~"$space",app=~"$app"';
const ofMachine = 'machine=~"$machine"';
const ofSpace = 'space=~"$space"';
const quantile = (share: number, by: string, where: string) =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(drover_route_request_duration_seconds_bucket{${where}}[$__rate_interval])))`;

const dashboards: Readonly<Record<string, Dashboard>> = {
  overview: {
    title: "Drover: overview",
    description: "Is all well, and if not, where?",
    variables: [["space", "drover_app_health"]],
    panels: [
      stat("Apps that are not ready", "none", `count(drover_app_health{${ofSpace},health!="ready",health!="stopped"}) or vector(0)`),
      stat("Failing checks", "none", `sum(drover_check_failing{${ofSpace}}) or vector(0)`),
      stat("Waiting for a person", "none", `sum(drover_escalations_open{${ofSpace},state="needs-human"}) or vector(0)`),
      stat("Machines away", "none", "count(drover_machine_linked == 0) or vector(0)"),
      graph("Requests a second", "reqps", [
        `sum by (space, app) (rate(drover_route_requests_total{${ofSpace}}[$__rate_interval]))`,
        "{{space}}/{{app}}",
      ]),
      graph("Share of requests that fail", "percentunit", [
        `sum by (space, app) (rate(drover_route_errors_total{${ofSpace}}[$__rate_interval])) / sum by (space, app) (rate(drover_route_requests_total{${ofSpace}}[$__rate_interval]))`,
        "{{space}}/{{app}}",
      ]),
      graph("Cores used", "short", [
        `sum by (space, app) (rate(drover_instance_cpu_seconds_total{${ofSpace}}[$__rate_interval]))`,
        "{{space}}/{{app}}",
      ]),
      graph("Memory", "bytes", [`sum by (space, app) (drover_instance_memory_bytes{${ofSpace}})`, "{{space}}/{{app}}"]),
      graph("Restarts in 15 minutes", "none", [
        `sum by (space, app) (increase(drover_instance_restarts_total{${ofSpace}}[15m])) > 0`,
        "{{space}}/{{app}}",
      ]),
      graph("Failing checks", "none", [`drover_check_failing{${ofSpace}} == 1`, "{{check}} {{target}}"]),
    ],
  },
  app: {
    title: "Drover: app",
    description: "One app: what it serves, what it uses, and how its releases differ.",
    variables: [
      ["space", "drover_app_release"],
      ["app", "drover_app_release", 'space=~"$space"'],
    ],
    panels: [
      stat("Release", "none", `max(drover_app_release{${ofApp}})`),
      stat("Ready instances", "none", `sum(drover_app_instances_ready{${ofApp}})`),
      stat("Wanted instances", "none", `sum(drover_app_instances_wanted{${ofApp}})`),
      stat("Restarts in an hour", "none", `sum(increase(drover_instance_restarts_total{${ofApp}}[1h]))`),
      graph("Requests a second, by release", "reqps", [
        `sum by (release) (rate(drover_route_requests_total{${ofApp}}[$__rate_interval]))`,
        "release {{release}}",
      ]),
      graph("Requests a second, by answer", "reqps", [
        `sum by (class) (rate(drover_route_requests_total{${ofApp}}[$__rate_interval]))`,
        "{{class}}",
      ]),
      graph("Share that fails, by release", "percentunit", [
        `sum by (release) (rate(drover_route_errors_total{${ofApp}}[$__rate_interval])) / sum by (release) (rate(drover_route_requests_total{${ofApp}}[$__rate_interval]))`,
        "release {{release}}",
      ]),
      graph(
        "Time of requests",
        "s",
        [quantile(0.5, "app", ofApp), "half"],
        [quantile(0.95, "app", ofApp), "95 %"],
        [quantile(0.99, "app", ofApp), "99 %"],
      ),
      graph("Cores used, by instance", "short", [`rate(drover_instance_cpu_seconds_total{${ofApp}}[$__rate_interval])`, "{{instance_id}}"]),
      graph("Memory, by instance", "bytes", [`drover_instance_memory_bytes{${ofApp}}`, "{{instance_id}}"]),
      graph(
        "Disk",
        "Bps",
        [`sum by (process) (rate(drover_instance_disk_read_bytes_total{${ofApp}}[$__rate_interval]))`, "{{process}} read"],
        [`sum by (process) (rate(drover_instance_disk_written_bytes_total{${ofApp}}[$__rate_interval]))`, "{{process}} written"],
      ),
      graph("Ready instances", "none", [`sum by (process, release) (drover_instance_ready{${ofApp}})`, "{{process}} release {{release}}"]),
    ],
  },
  machine: {
    title: "Drover: machine",
    description: "One machine: what it has left, and what waits for it.",
    variables: [["machine", "drover_machine_cores"]],
    panels: [
      stat("Linked", "none", `min(drover_machine_linked{${ofMachine}})`),
      stat("Cores", "none", `sum(drover_machine_cores{${ofMachine}})`),
      stat("Memory left", "bytes", `sum(drover_machine_memory_available_bytes{${ofMachine}})`),
      stat("Disk left", "bytes", `sum(drover_machine_disk_available_bytes{${ofMachine}})`),
      graph("Processor, in cores", "short", [
        `sum by (machine, mode) (rate(drover_machine_cpu_seconds_total{${ofMachine},mode!="idle"}[$__rate_interval]))`,
        "{{machine}} {{mode}}",
      ]),
      graph("Load", "short", [`drover_machine_load1{${ofMachine}}`, "{{machine}}"]),
      graph("Waiting for something (pressure)", "percentunit", [
        `rate(drover_machine_pressure_seconds_total{${ofMachine}}[$__rate_interval])`,
        "{{machine}} {{resource}}",
      ]),
      graph("Memory in use", "percentunit", [
        `1 - drover_machine_memory_available_bytes{${ofMachine}} / drover_machine_memory_bytes{${ofMachine}}`,
        "{{machine}}",
      ]),
      graph("Disk in use", "percentunit", [
        `1 - drover_machine_disk_available_bytes{${ofMachine}} / drover_machine_disk_bytes{${ofMachine}}`,
        "{{machine}}",
      ]),
      graph(
        "Network",
        "Bps",
        [`rate(drover_machine_network_received_bytes_total{${ofMachine}}[$__rate_interval])`, "{{machine}} received"],
        [`rate(drover_machine_network_sent_bytes_total{${ofMachine}}[$__rate_interval])`, "{{machine}} sent"],
      ),
      graph("Cores used, by app", "short", [
        `sum by (space, app) (rate(drover_instance_cpu_seconds_total{${ofMachine}}[$__rate_interval]))`,
        "{{space}}/{{app}}",
      ]),
      graph("Memory, by app", "bytes", [`sum by (space, app) (drover_instance_memory_bytes{${ofMachine}})`, "{{space}}/{{app}}"]),
    ],
  },
  edge: {
    title: "Drover: edge",
    description: "What comes in from outside, by route.",
    variables: [
      ["machine", "drover_edge_linked"],
      ["route", "drover_route_errors_total"],
    ],
    panels: [
      stat("Edges linked", "none", `sum(drover_edge_linked{${ofMachine}})`),
      stat("Requests a second", "reqps", `sum(rate(drover_route_requests_total{${ofMachine},route=~"$route"}[$__rate_interval]))`),
      stat("Errors a second", "reqps", `sum(rate(drover_route_errors_total{${ofMachine},route=~"$route"}[$__rate_interval]))`),
      stat(
        "Average time",
        "s",
        `sum(rate(drover_route_request_duration_seconds_sum{${ofMachine},route=~"$route"}[$__rate_interval])) / sum(rate(drover_route_request_duration_seconds_count{${ofMachine},route=~"$route"}[$__rate_interval]))`,
      ),
      graph("Requests a second, by route", "reqps", [
        `sum by (route) (rate(drover_route_requests_total{${ofMachine},route=~"$route"}[$__rate_interval]))`,
        "{{route}}",
      ]),
      graph("Requests a second, by edge", "reqps", [
        `sum by (machine) (rate(drover_route_requests_total{${ofMachine},route=~"$route"}[$__rate_interval]))`,
        "{{machine}}",
      ]),
      graph("Errors a second, by route", "reqps", [
        `sum by (route) (rate(drover_route_errors_total{${ofMachine},route=~"$route"}[$__rate_interval]))`,
        "{{route}}",
      ]),
      graph("95 of 100 requests are faster than, by route", "s", [quantile(0.95, "route", `${ofMachine},route=~"$route"`), "{{route}}"]),
      graph(
        "Bytes",
        "Bps",
        [`sum(rate(drover_route_request_bytes_total{${ofMachine},route=~"$route"}[$__rate_interval]))`, "in"],
        [`sum(rate(drover_route_response_bytes_total{${ofMachine},route=~"$route"}[$__rate_interval]))`, "out"],
      ),
    ],
  },
  platform: {
    title: "Drover: itself",
    description: "What Drover takes for itself, and what is wrong with it.",
    variables: [["machine", "drover_machine_cores"]],
    panels: [
      stat("Problems", "none", "sum(drover_problems) or vector(0)"),
      stat("Running for", "s", "time() - max(drover_start_time_seconds)"),
      stat("Figures followed", "none", "max(drover_figures_series)"),
      stat("Figures without a place", "none", "max(drover_figures_refused)"),
      graph("Cores used, by program", "short", [
        `sum by (program) (rate(drover_program_cpu_seconds_total{${ofMachine}}[$__rate_interval]))`,
        "{{program}}",
      ]),
      graph("Memory, by program", "bytes", [`sum by (program) (drover_program_memory_bytes{${ofMachine}})`, "{{program}}"]),
      graph("Changes of the store a second", "short", ["rate(drover_store_revision[$__rate_interval])", "changes"]),
      graph("Disk for figures", "bytes", ["max(drover_figures_disk_bytes)", "figures"]),
      graph("Problems, by code", "none", ["drover_problems", "{{code}}"]),
      graph("Instances whose own figures could not be read", "none", ["drover_scrape_up == 0", "{{instance_id}}"]),
    ],
  },
};

const datasource = { type: "prometheus", uid: "${datasource}" };
const columns = 24;

/** Files by name, for Grafana to import. */
export function grafanaDashboards(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(dashboards).map(([name, dashboard]) => [
      `packaging/grafana/${name}.json`,
      `${JSON.stringify(modelOf(name, dashboard), null, 2)}\n`,
    ]),
  );
}

function modelOf(name: string, { title, description, variables, panels }: Dashboard): object {
  const stats = panels.filter(({ isStat }) => isStat === true).length;
  return {
    uid: `drover-${name}`,
    title,
    description,
    tags: ["drover"],
    schemaVersion: 38,
    editable: true,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Source", type: "datasource", query: "prometheus" },
        ...variables.map(([label, metric, where]) => ({
          name: label,
          type: "query",
          datasource,
          query: { query: `label_values(${metric}${where === undefined ? "" : `{${where}}`}, ${label})`, refId: label },
          refresh: 2,
          includeAll: true,
          multi: true,
          allValue: ".*",
          sort: 1,
        })),
      ],
    },
    panels: panels.map((panel, i) => panelOf(panel, i, stats)),
  };
}

/** Figures in the first row, graphs below it, two in a row. */
function panelOf({ title, unit, queries, isStat }: Panel, i: number, stats: number): object {
  const at = i - stats;
  const gridPos =
    isStat === true
      ? { x: i * (columns / stats), y: 0, w: columns / stats, h: 4 }
      : { x: (at % 2) * (columns / 2), y: 4 + 8 * Math.floor(at / 2), w: columns / 2, h: 8 };
  return {
    id: i + 1,
    title,
    type: isStat === true ? "stat" : "timeseries",
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: queries.map(([expr, legendFormat], of) => ({
      refId: String.fromCharCode(65 + of),
      datasource,
      expr,
      ...(legendFormat === "" ? {} : { legendFormat }),
    })),
  };
}
