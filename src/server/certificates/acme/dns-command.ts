import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { promisify } from "node:util";
import { DroverError } from "#model/errors.ts";
import type { DnsRecords } from "./order.ts";

const run = promisify(execFile);
/** Until the record is there for everybody to see, which the command waits for: zones take seconds to minutes. */
const timeoutMs = 300_000;
const longestOutputBytes = 65_536;

/**
 * DNS records by a command of the operator's: `FILE set|unset NAME VALUE`, without a shell. It is a file in the server's folder and not a
 * setting, because who may change settings must not thereby be able to run programs as the server.
 */
export function dnsCommand(file: string, environment: Readonly<Record<string, string | undefined>>): DnsRecords {
  return async (verb, name, value, signal) => {
    try {
      await access(file, constants.X_OK);
    } catch (error) {
      throw new DroverError("ACME_FAILED", `DNS-01 needs the command "${file}", which is not there or cannot be run`, {
        cause: error,
        hint: `Write a program there that is called as "${file} set|unset NAME VALUE" and changes TXT records, and make it executable.`,
      });
    }
    try {
      const env = { PATH: environment["PATH"] ?? "/usr/bin:/bin", HOME: environment["HOME"] ?? "/" };
      await run(file, [verb, name, value], { timeout: timeoutMs, maxBuffer: longestOutputBytes, signal, env });
    } catch (error) {
      signal.throwIfAborted();
      const said = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr).trim().slice(-500) : "";
      throw new DroverError("ACME_FAILED", `"${file} ${verb} ${name}" failed${said === "" ? "" : `: ${said}`}`, {
        cause: error,
        hint: "Run the command by hand to see what it says.",
      });
    }
  };
}
