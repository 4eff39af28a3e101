import { DroverError } from "#model/errors.ts";

/** What OpenSSH 7.6 and younger say with `-v`. It has no codes for what goes wrong, but its words have been the same for decades. */

const shownKey = /^debug1: Server host key: (\S+ \S+)/;

/** The key of the host that was asked for, which is the last one shown where others lie on the way: `ssh-ed25519 SHA256:…`; empty if none was. */
export function destinationKey(said: string): string {
  return said.split("\n").reduce((key, line) => shownKey.exec(line)?.[1] ?? key, "");
}

/** Keys that were seen for the first time, and are pinned now: of the host, and of those on the way. */
export function pinnedKeys(said: string): readonly { readonly host: string; readonly key: string }[] {
  let key = "";
  return said.split("\n").flatMap((line) => {
    key = shownKey.exec(line)?.[1] ?? key;
    const host = /^Warning: Permanently added '([^']+)'/.exec(line)?.[1];
    return host === undefined ? [] : [{ host, key }];
  });
}

/** Whether a key in hardware waits for its person. */
export function asksForTouch(line: string): boolean {
  return /^Confirm user presence/.test(line);
}

/**
 * What OpenSSH said, in our words: what went wrong and what to do about it. What is not known is told as it is.
 * @param said what it wrote on standard error
 * @param target as it was called
 */
export function connectionFailure(said: string, target: string, knownHosts: string): DroverError {
  const words = said
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !/^(debug\d:|OpenSSH_|Warning: Permanently added)/.test(line));
  const text = words.join("\n");
  const failed = (message: string, hint: string) => new DroverError("SSH_FAILED", message, { hint });
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(text)) {
    const where = /^Offending \S+ key in (.+):(\d+)$/m.exec(text);
    const file = where?.[1] ?? knownHosts;
    const shown = destinationKey(said);
    const host = /^Host key for (\S+) has changed/m.exec(text)?.[1] ?? "HOST";
    return new DroverError("HOST_KEY_CHANGED", `it shows another key than the one that is pinned${shown === "" ? "" : `: ${shown}`}`, {
      hint: `If the host was made anew, compare that with what "ssh-keygen -lf" says of its key there, then forget the old one: ssh-keygen -R "${host}" -f "${file}". If not, somebody may be in between.`,
    });
  }
  if (/Host key verification failed/.test(text))
    return new DroverError("HOST_KEY_CHANGED", "its key is not to be trusted, by what is known here", {
      hint: `Look at the host's log for what "ssh" said, and at what ${knownHosts} and ~/.ssh/known_hosts have.`,
    });
  if (/Permission denied|Too many authentication failures|No more authentication methods/.test(text))
    return failed(
      "it takes none of your keys",
      `Put one there with "ssh-copy-id ${target}", load one with a password into your agent with "ssh-add", or name its file with --identity.`,
    );
  if (/Could not resolve hostname/.test(text)) return failed("no host of that name is known here", "Check the name, or give an address.");
  if (/Connection refused/.test(text))
    return failed("nothing listens for SSH there", "Start its SSH server, or give the port, as HOST:PORT.");
  if (/timed out|No route to host|Network is unreachable|Host is down/i.test(text))
    return failed("it does not answer", "Is it on, and is its SSH port open from here?");
  if (/Connection (closed|reset)|kex_exchange_identification|banner/i.test(text))
    return failed(
      "it ends the connection before anybody has logged in",
      "Its SSH server may have too many of them: try again, with a lower --parallel.",
    );
  return failed(words.length === 0 ? "the connection ended without a word" : `ssh says: ${words.at(-1)}`, `Try by hand: ssh -v ${target}.`);
}
