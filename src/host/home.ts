import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folders and files of one Drover on one machine. Everything it keeps is below `root`. */
export interface Home {
  readonly root: string;
  /** What the server keeps: store, events, secrets, backups. */
  readonly server: string;
  /** What the agent keeps: orders, instances, artifacts, logs, volumes. */
  readonly agent: string;
  /** What the edge keeps: its last table. */
  readonly edge: string;
  /** What a machine that has joined another's Drover keeps: its key, its certificate, and where the server is. */
  readonly link: string;
  /** What `drover machine add` keeps where it is run: pinned host keys, packed programs, logs, and what it did. */
  readonly ssh: string;
  /** Sockets and pid files of what runs now. */
  readonly run: string;
  /** Unix socket that agents and edges of this machine dial. */
  readonly linkSocket: string;
  /** Unix socket of the API, for commands on this machine. */
  readonly apiSocket: string;
  /** The administrator's bearer token, made at the first start. */
  readonly tokenFile: string;
  /** Addresses of what runs now, for the CLI: `{ "api": "http://…", "edge": "http://…", "socket": "…" }`. */
  readonly addressFile: string;
  /** Why the server could not start, as the body of an error; not there when it could. */
  readonly serverErrorFile: string;
}

/**
 * Where Drover keeps what it keeps: `$DROVER_HOME`; else /var/lib/drover for root, whose own folder apps under other users could not read;
 * else the XDG state folder of the user.
 */
export function defaultHome(environment: Readonly<Record<string, string | undefined>>, isRoot: boolean): string {
  if (environment["DROVER_HOME"]) return environment["DROVER_HOME"];
  if (isRoot) return "/var/lib/drover";
  return join(environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "drover");
}

export function homeAt(root: string): Home {
  const run = join(root, "run");
  return {
    root,
    server: join(root, "server"),
    agent: join(root, "agent"),
    edge: join(root, "edge"),
    link: join(root, "link"),
    ssh: join(root, "ssh"),
    run,
    linkSocket: join(run, "link.sock"),
    apiSocket: join(run, "api.sock"),
    tokenFile: join(root, "token"),
    addressFile: join(run, "addresses.json"),
    serverErrorFile: join(run, "server-error.json"),
  };
}

/** Makes the folders, readable by others only as far as apps under their own users need (to pass through, not to list). */
export async function makeHome(home: Home): Promise<void> {
  await mkdir(home.root, { recursive: true, mode: 0o711 });
  for (const folder of [home.server, home.edge, home.run]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(home.agent, { recursive: true, mode: 0o711 });
}
