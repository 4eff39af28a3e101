import { DroverError } from "#model/errors.ts";

/** As Linux has them, so that every path of an artifact can be made on every machine. */
const longestPathBytes = 4_000;
const longestNameBytes = 255;
/** All paths of a tree together: 300 bytes for each of the most entries, so that long names cannot fill the memory. */
const allPathsBytes = 64 * 2 ** 20;
/** As many links as Linux follows for one path. */
const mostHops = 40;

/**
 * What paths and links a tree may have. It learns the entries one by one and refuses whatever would leave the tree's folder or would mean
 * different things to different readers. Links are judged last, when it is known what they lead through.
 */
export class PathRules {
  readonly #kinds = new Map<string, "folder" | "file">();
  readonly #links = new Map<string, string>();
  #pathBytes = 0;

  /** The one way to write an archive's path: no `./`, no `//`, no slash at the end. Null for the folder itself. @throws {DroverError} ARCHIVE_UNSAFE */
  static normalize(name: string): string | null {
    if (name.startsWith("/")) throw unsafe(name, "has an absolute path");
    if (Buffer.byteLength(name) > longestPathBytes) throw unsafe(name, `has a path of more than ${longestPathBytes} bytes`);
    if (/[\u0000-\u001f\u007f-\u009f\ufffd]/.test(name)) throw unsafe(name, "has a control character in its name, or is not UTF-8");
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    for (const part of parts) {
      if (part === "..") throw unsafe(name, 'has a path with ".."');
      if (Buffer.byteLength(part) > longestNameBytes) throw unsafe(name, `has a name of more than ${longestNameBytes} bytes`);
    }
    return parts.length === 0 ? null : parts.join("/");
  }

  /** Folders above `path` that nothing has named yet, outermost first; they are added too. @throws {DroverError} ARCHIVE_UNSAFE */
  missingFolders(path: string): readonly string[] {
    const missing: string[] = [];
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const folder = path.slice(0, slash);
      if (this.#links.has(folder)) throw unsafe(path, `would be written through the link ${JSON.stringify(folder)}`);
      const kind = this.#kinds.get(folder);
      if (kind === "file") throw unsafe(path, `is below ${JSON.stringify(folder)}, which is a file`);
      if (kind === undefined) {
        missing.push(folder);
        this.#kinds.set(folder, "folder");
      }
    }
    return missing;
  }

  /** Whether the folder is new; archives may name one twice. @throws {DroverError} ARCHIVE_UNSAFE */
  addFolder(path: string): boolean {
    this.#checkName(path);
    if (this.#kinds.get(path) === "folder") return false;
    this.#add(path, "folder");
    return true;
  }

  /** @throws {DroverError} ARCHIVE_UNSAFE */
  addFile(path: string): void {
    this.#checkName(path);
    this.#add(path, "file");
  }

  /** @throws {DroverError} ARCHIVE_UNSAFE */
  addLink(path: string, target: string): void {
    this.#checkName(path);
    if (this.#kinds.has(path) || this.#links.has(path)) throw unsafe(path, "is there twice");
    if (target === "" || target.startsWith("/")) throw unsafe(path, `is a link to ${quote(target)}, outside of its folder`);
    if (/[\u0000-\u001f\u007f-\u009f]/.test(target) || Buffer.byteLength(target) > longestPathBytes)
      throw unsafe(path, "is a link whose target is no proper path");
    this.#links.set(path, target);
  }

  isFile(path: string): boolean {
    return this.#kinds.get(path) === "file";
  }

  /** Follows every link as the kernel would, through the others. @throws {DroverError} ARCHIVE_UNSAFE for one that leads outside or in a circle. */
  checkLinks(): void {
    for (const [path, target] of this.#links) {
      let hops = 0;
      let at: string[] = path.split("/").slice(0, -1);
      const todo = target.split("/").reverse();
      for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
        if (part === "" || part === ".") continue;
        if (part === "..") {
          if (at.length === 0) throw unsafe(path, `is a link to ${quote(target)}, outside of its folder`);
          at = at.slice(0, -1);
          continue;
        }
        at = [...at, part];
        const next = this.#links.get(at.join("/"));
        if (next === undefined) continue;
        if (++hops > mostHops) throw unsafe(path, `is a link to ${quote(target)}, which leads in a circle`);
        at = at.slice(0, -1);
        todo.push(...next.split("/").reverse());
      }
    }
  }

  #checkName(path: string): void {
    if (PathRules.normalize(path) !== path) throw unsafe(path, "has a path that is not in its plain form");
    this.#pathBytes += path.length;
    if (this.#pathBytes > allPathsBytes) throw unsafe(path, `brings all paths together to more than ${allPathsBytes} bytes`);
  }

  #add(path: string, kind: "folder" | "file"): void {
    if (this.#kinds.has(path) || this.#links.has(path)) throw unsafe(path, "is there twice");
    this.#kinds.set(path, kind);
  }
}

export function unsafe(path: string, reason: string): DroverError {
  return new DroverError("ARCHIVE_UNSAFE", `the entry ${quote(path)} ${reason}`, {
    hint: "Nothing was kept. Remove the entry from the source and send it again.",
  });
}

/** Enough of a name to find it, and no more: a hostile one may be long. */
function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
