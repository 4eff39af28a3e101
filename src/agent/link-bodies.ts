import type { MetricsQuestion, MetricsQuestions } from "#model/app-metrics.ts";
import { DroverError } from "#model/errors.ts";
import type { InfoQuestion } from "#model/info.ts";
import type { LeaseRenewal } from "#model/lease.ts";
import type { LogKind } from "#model/log-kind.ts";
import type { LogMasks } from "#model/log-mask.ts";
import { beforeProcess, type InstanceId, isDigest, namePattern, type WorkloadId } from "#model/names.ts";
import { isCount, isListOf, isNumber, isRecord, isText } from "#model/shape.ts";
import { stepsApp } from "#model/steps.ts";
import type { LogQuery, Probe, Resources, StopRules, Workload } from "#model/workload.ts";

/*
 * What the server sends over the link, checked before anything becomes a path, a process or a query: a server that is broken or taken over must
 * not be able to reach more of the machine than its orders are for. Keys that are not known here may come from a newer server and are left alone.
 */

/** A command line, and any one value of an environment, as the manifest bounds them; far above what either has. */
const longestText = 2 ** 20;
/** Ids, names and tokens are made by the server and short. */
const longestName = 256;
const mostLogLines = 10_000;
/** Far more instances than a machine holds. */
const mostQuestions = 10_000;
const longestPath = 2_048;
/** Far above three times the longest time after which a machine may be said to be lost. */
const longestLeaseMs = 3_600_000;

/** @throws {DroverError} REQUEST_INVALID */
export function readWorkload(value: unknown): Workload {
  if (isWorkload(value)) return value;
  throw new DroverError("REQUEST_INVALID", "the order is no workload that this agent understands", {
    hint: "The two programs are of different versions.",
  });
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLeaseRenewal(value: unknown): LeaseRenewal {
  if (isLeaseRenewal(value)) return value;
  throw new DroverError("REQUEST_INVALID", "the body is no renewal of leases");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLogQuery(value: unknown): LogQuery {
  if (isLogQuery(value)) return value;
  throw new DroverError("REQUEST_INVALID", "the body is no query for logs");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readInfoQuestions(value: unknown): readonly InfoQuestion[] {
  if (isRecord(value) && isListOf(value["questions"], isInfoQuestion) && value["questions"].length <= mostQuestions)
    return value["questions"];
  throw new DroverError("REQUEST_INVALID", "the body is no list of instances to ask");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readMetricsQuestions(value: unknown): MetricsQuestions {
  if (isRecord(value)) {
    const { questions, statsd = [] } = value;
    const isFew = (list: readonly unknown[]) => list.length <= mostQuestions;
    if (isListOf(questions, isMetricsQuestion) && isFew(questions) && isListOf(statsd, isInstance) && isFew(statsd))
      return { questions, statsd };
  }
  throw new DroverError("REQUEST_INVALID", "the body is no list of instances to ask for figures");
}

function isInstance(it: unknown): it is InstanceId {
  return isText(it, longestName);
}

function isMetricsQuestion(it: unknown): it is MetricsQuestion {
  return isInfoQuestion(it) && "port" in it && (it.port === null || isPort(it.port)) && (!("everyMs" in it) || isDuration(it.everyMs));
}

/** What ends up in a request line: no spaces, and nothing that could end it. */
function isInfoQuestion(it: unknown): it is InfoQuestion {
  return isRecord(it) && isText(it["instance"], longestName) && isText(it["path"], longestPath) && /^\/[\x21-\x7e]*$/.test(it["path"]);
}

export function isWorkload(it: unknown): it is Workload {
  return (
    isRecord(it) &&
    isWorkloadId(it["id"]) &&
    isCount(it["revision"]) &&
    (it["kind"] === "service" || it["kind"] === "task") &&
    isCount(it["count"]) &&
    isCommand(it["command"]) &&
    (it["artifact"] === null || (isText(it["artifact"]) && isDigest(it["artifact"]))) &&
    isEnvironment(it["env"]) &&
    isEnvironment(it["secrets"]) &&
    (it["port"] === "auto" || it["port"] === "none" || isPort(it["port"])) &&
    isProbeOrNull(it["ready"]) &&
    isProbeOrNull(it["alive"]) &&
    isResources(it["resources"]) &&
    isStopRules(it["stop"]) &&
    typeof it["routed"] === "boolean" &&
    isListOf(it["volumes"], isLabel) &&
    isText(it["restartToken"], longestName) &&
    (it["timeoutMs"] === null || isDuration(it["timeoutMs"])) &&
    (it["onlyOne"] === undefined || it["onlyOne"] === true) &&
    (it["isPrivate"] === undefined || it["isPrivate"] === true) &&
    (it["statsd"] === undefined || it["statsd"] === true) &&
    // Only the agent itself has programs of that kind.
    it["own"] === undefined
  );
}

function isLeaseRenewal(it: unknown): it is LeaseRenewal {
  return (
    isRecord(it) &&
    (it["of"] === null || isText(it["of"], longestName)) &&
    isDuration(it["ms"]) &&
    it["ms"] <= longestLeaseMs &&
    isListOf(it["workloads"], isWorkloadId)
  );
}

function isLogQuery(it: unknown): it is LogQuery {
  return (
    isRecord(it) &&
    isText(it["prefix"], longestName) &&
    (it["instance"] === null || isText(it["instance"], longestName)) &&
    isCount(it["tail"]) &&
    it["tail"] <= mostLogLines &&
    (it["sinceMs"] === null || isNumber(it["sinceMs"])) &&
    typeof it["follow"] === "boolean" &&
    (it["contains"] === null || isText(it["contains"])) &&
    isKinds(it["kinds"]) &&
    isMasks(it["masks"])
  );
}

/** Kinds of lines; one that is not known here has none. */
export function isKinds(value: unknown): value is readonly LogKind[] | undefined {
  return value === undefined || isListOf(value, (kind): kind is LogKind => isText(kind, longestName));
}

/** Values that are not found, by space. */
export function isMasks(value: unknown): value is LogMasks | undefined {
  const isForm = (one: unknown): one is string => isText(one, longestText);
  return value === undefined || (isRecord(value) && Object.values(value).every((forms) => isListOf(forms, isForm)));
}

/** Its parts become folders, so each has to be a name. */
function isWorkloadId(value: unknown): value is WorkloadId {
  if (!isText(value, longestName)) return false;
  const [space, app, process, release, ...rest] = value.split("/");
  return (
    rest.length === 0 &&
    isLabel(space) &&
    (app === stepsApp || isLabel(app)) &&
    (process === beforeProcess || isLabel(process)) &&
    /^\d{1,15}$/.test(release ?? "")
  );
}

function isLabel(value: unknown): value is string {
  return typeof value === "string" && namePattern.test(value);
}

/** A zero byte would cut off what follows it where a process is started. */
function isArgument(value: unknown): value is string {
  return isText(value, longestText) && !value.includes("\0");
}

function isCommand(value: unknown): value is Workload["command"] {
  if (!isRecord(value)) return false;
  return "shell" in value ? isArgument(value["shell"]) : isListOf(value["argv"], isArgument);
}

function isEnvironment(value: unknown): value is Workload["env"] {
  return isRecord(value) && Object.entries(value).every(([name, text]) => name !== "" && !/[=\0]/.test(name) && isArgument(text));
}

function isPort(value: unknown): value is number {
  return isCount(value) && value > 0 && value < 2 ** 16;
}

function isDuration(value: unknown): value is number {
  return isNumber(value) && value >= 0;
}

function isProbeOrNull(value: unknown): value is Probe | null {
  if (value === null) return true;
  return (
    isRecord(value) &&
    isProbeTarget(value["target"]) &&
    isDuration(value["everyMs"]) &&
    isDuration(value["timeoutMs"]) &&
    isCount(value["failures"])
  );
}

function isProbeTarget(value: unknown): value is Probe["target"] {
  if (!isRecord(value)) return false;
  if (value["kind"] === "http") return isArgument(value["path"]);
  return value["kind"] === "command" ? isArgument(value["run"]) : value["kind"] === "tcp";
}

function isResources(value: unknown): value is Resources {
  if (!isRecord(value)) return false;
  const { cpu, memoryBytes, pids } = value;
  return (cpu === null || isDuration(cpu)) && (memoryBytes === null || isCount(memoryBytes)) && isCount(pids);
}

const stopSignals: readonly unknown[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] satisfies StopRules["signal"][];

function isStopRules(value: unknown): value is StopRules {
  return isRecord(value) && stopSignals.includes(value["signal"]) && isDuration(value["drainMs"]) && isDuration(value["graceMs"]);
}
