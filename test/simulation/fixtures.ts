import type { App, DroverEvent, Release } from "../../src/model/app.ts";
import type { AppName, ProcessName, SpaceName } from "../../src/model/names.ts";
import type { EventLog } from "../../src/server/events/event-log.ts";
import { keys, put } from "../../src/server/objects/objects.ts";
import type { Secrets } from "../../src/server/secrets/secrets.ts";
import type { Change } from "../../src/server/store/store.ts";

export const space = "sim" as SpaceName;
const web = "web" as ProcessName;

/** Keeps nothing, for tests that do not ask what happened. */
export const nullEvents: EventLog = {
  append: (event) => ({ ...event, sequence: 1, atMs: 0 }) as DroverEvent,
  query: () => [],
  follow: () => {
    throw new Error("nothing is kept");
  },
  oldestAtMs: () => null,
  close: async () => {},
};

const refuse = () => {
  throw new Error("there are no secrets");
};

export const refusingSecrets: Secrets = {
  list: () => [],
  versions: () => [],
  latest: () => null,
  holds: () => false,
  reveal: refuse,
  set: refuse,
  unset: refuse,
};

export interface Fixture {
  readonly instances: number;
  readonly port: "auto" | "none";
  readonly space?: SpaceName;
  readonly env?: Release["spec"]["env"];
  readonly needs?: Release["spec"]["needs"];
  readonly servicePorts?: App["servicePorts"];
  readonly routes?: App["routes"];
}

/** What the API writes for a first push. */
export function appAndRelease(
  name: AppName,
  { instances, port, space: inSpace = space, env = {}, needs = {}, servicePorts = {}, routes }: Fixture,
): Change[] {
  const release: Release = {
    number: 1,
    space: inSpace,
    app: name,
    spec: {
      artifact: null,
      processes: {
        [web]: { run: "good", port, protocol: "http", resources: { cpu: null, memoryBytes: null, pids: 512 }, ready: null, alive: null },
      },
      env,
      secrets: {},
      needs,
      volumes: [],
      before: null,
      stop: { signal: "SIGTERM", drainMs: 2_000, graceMs: 1_000 },
    },
    state: "pending",
    failure: null,
    createdAtMs: 1,
    cause: "push",
  };
  const app: App = {
    name,
    space: inSpace,
    manifest: {},
    manual: { env: {}, instances: {} },
    instances: { [web]: instances },
    routes: routes ?? [{ host: `${name}.${inSpace}.localhost`, path: "/", to: web }],
    deploy: { strategy: "rolling", surge: { share: 0.25 }, steps: [0.1, 0.5], hold: 5_000, deadline: 20_000 },
    lastRelease: 1,
    target: 1,
    active: null,
    stopped: false,
    destroying: false,
    restartToken: "",
    servicePorts,
    createdAtMs: 1,
  };
  return [put(keys.app(inSpace, name), app), put(keys.release(inSpace, name, 1), release)];
}
