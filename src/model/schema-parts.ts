import { z } from "zod";

/** What several schemas of the manifest are made of. */

/** A key of the plan that this version cannot honour: allowed to be known, refused when used. */
export const notYet = (what: string) =>
  z
    .unknown()
    .superRefine((value, context) => {
      if (value !== undefined) context.addIssue({ code: "custom", message: what, params: { notYet: true } });
    })
    .optional()
    .meta({ description: `Not yet supported: ${what}.`, notYetSupported: true });

/** A TCP or UDP port. */
export const port = z.int().min(1, "a port from 1 to 65535").max(65_535, "a port from 1 to 65535");

/** An absolute path of a URL, with its query. */
export const httpPath = z
  .string()
  .max(1024)
  .regex(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$/, "an absolute path such as /ready");

/** A host name: DNS labels joined by dots, in lower case. */
export const hostName = z
  .string()
  .max(253)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    "a host name in lower case, such as shop.example.com",
  );

const labelPart = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** The name or the value of a machine's label. */
export const machineLabel = z
  .string()
  .regex(labelPart, "1 to 63 of a-z, 0-9, ., _ and -, starting and ending with a letter or digit, such as zone or a");

/** Enough for whatever is said of a machine; each is looked at whenever something is placed. */
const mostLabels = 64;

export const machineLabels = z
  .record(machineLabel, machineLabel)
  .refine((labels) => Object.keys(labels).length <= mostLabels, `at most ${mostLabels} labels`);

/** Whether nothing is listed twice. */
export function unique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
