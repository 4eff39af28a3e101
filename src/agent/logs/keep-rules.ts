import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import type { KeepRule, KeepRules } from "#model/log-keep.ts";
import { isCount, isRecord, parseJson } from "#model/shape.ts";

/* What spaces want kept, as the server said it last: it holds on while the server is away, and after a restart. */

const nameOf = (folder: string) => join(folder, "keep.json");

/** None where nothing was ever said. What cannot be read is told and left out: the server says it again. */
export async function loadKeepRules(folder: string, log: Log): Promise<KeepRules> {
  const file = nameOf(folder);
  try {
    const text = await readTextIfThere(file);
    if (text === null) return {};
    const rules = parseJson(text);
    if (!isKeepRules(rules)) throw new Error("the file does not hold what was written");
    return rules;
  } catch (error) {
    log.error("how long spaces want their lines kept cannot be read", { file, ...errorFields(error) });
    return {};
  }
}

export async function saveKeepRules(folder: string, rules: KeepRules): Promise<void> {
  await writeFileAtomic(nameOf(folder), JSON.stringify(rules));
}

export function isKeepRules(value: unknown): value is KeepRules {
  return isRecord(value) && Object.values(value).every(isKeepRule);
}

function isKeepRule(value: unknown): value is KeepRule {
  const isBound = (one: unknown) => one === null || (isCount(one) && one > 0);
  return isRecord(value) && isBound(value["ageMs"]) && isBound(value["bytes"]);
}
