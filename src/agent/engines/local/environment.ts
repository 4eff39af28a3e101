import { delimiter, dirname, join } from "node:path";
import { type InstanceId, parseWorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";

/** Where apps find programs: the path of whoever started Drover without its own development tools, and the pinned Node for apps that bring none. */
export function appPath(path: string | undefined, nodePath: string): string {
  const folders = (path ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  const usable = folders.filter((folder) => folder.startsWith("/") && !folder.endsWith(join("node_modules", ".bin")));
  return [...new Set([...usable, dirname(nodePath)])].join(delimiter);
}

/** Everything in an instance's environment; nothing of Drover's own gets in. What the user states comes last and wins. */
export function instanceEnvironment(options: {
  readonly workload: Workload;
  readonly instance: InstanceId;
  /** Where it is to listen; null: that is its own affair. */
  readonly host: string | null;
  readonly port: number | null;
  /** Where its figures by statsd are read; null: nowhere. */
  readonly statsdPort: number | null;
  readonly path: string;
  readonly temporaryFolder: string;
  /** Folders of the workload's volumes, by name. */
  readonly volumes: Readonly<Record<string, string>>;
}): Record<string, string> {
  const { workload, instance, host, port, statsdPort, path, temporaryFolder } = options;
  const { space, app, process, release } = parseWorkloadId(workload.id);
  const volumes = Object.entries(options.volumes).map(([name, folder]) => [`${name.toUpperCase().replaceAll("-", "_")}_DIR`, folder]);
  return {
    PATH: path,
    HOME: temporaryFolder,
    TMPDIR: temporaryFolder,
    LANG: "C.UTF-8",
    ...(port === null ? {} : { PORT: String(port) }),
    ...(host === null ? {} : { HOST: host }),
    // As statsd's clients know them.
    ...(statsdPort === null ? {} : { STATSD_HOST: "127.0.0.1", STATSD_PORT: String(statsdPort) }),
    DROVER_SPACE: space,
    DROVER_APP: app,
    DROVER_PROCESS: process,
    DROVER_RELEASE: String(release),
    DROVER_INSTANCE: instance,
    ...Object.fromEntries(volumes),
    ...workload.env,
    ...workload.secrets,
  };
}
