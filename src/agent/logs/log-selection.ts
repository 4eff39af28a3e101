import { kindOfInstance } from "#model/log-kind.ts";
import type { AppId, InstanceId } from "#model/names.ts";
import type { LogQuery } from "#model/workload.ts";

/** Which instances a query means. */
export interface LogSelection {
  /** Whether any instance of the app can match, so that the others' files stay closed. */
  hasApp(app: AppId): boolean;
  has(instance: InstanceId): boolean;
}

/**
 * Prefixes are workload ids (`shop/api/web/7`), instance ids, or end in a slash and take all below: `shop/`, `shop/api/`, `shop/api/web/`.
 * Instances are named `shop/api/web.7.k3f9b`, so the slashes after the app stand for their dots. The empty prefix takes everything.
 */
export function selectLogs({ prefix, instance, kinds }: Pick<LogQuery, "prefix" | "instance" | "kinds">): LogSelection {
  const [space = "", app = "", ...rest] = prefix.split("/");
  const isWorkload = rest.length === 2 && rest[1] !== "";
  const isBelow = prefix === "" || prefix.endsWith("/") || isWorkload;
  const start = rest.length === 0 ? prefix : `${space}/${app}/${rest.filter((part) => part !== "").join(".")}${rest[0] === "" ? "" : "."}`;
  const has = (id: InstanceId) =>
    (instance === null || id === instance) &&
    (isBelow ? id.startsWith(start) : id === prefix) &&
    (kinds === undefined || kinds.includes(kindOfInstance(id)));
  const hasApp = (id: AppId) => {
    if (instance !== null && !instance.startsWith(`${id}/`)) return false;
    return prefix === "" || `${id}/`.startsWith(prefix) || prefix.startsWith(`${id}/`);
  };
  return { has, hasApp };
}
