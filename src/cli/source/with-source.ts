import { DroverError } from "#model/errors.ts";
import type { DocumentFile } from "../documents.ts";

/**
 * The manifest of a folder that is pushed: what is pushed is its source, also where the manifest does not say so. A manifest that cannot be read is
 * left as it is, for the server to say what is wrong with it.
 * @throws {DroverError} USAGE if --app names another app than the manifest
 */
export async function withSource(document: DocumentFile, app: string | null): Promise<DocumentFile> {
  const { isMap, parseAllDocuments } = await import("yaml");
  const parsed = parseAllDocuments(document.text, { stringKeys: true, prettyErrors: false });
  const apps = Array.isArray(parsed) ? parsed.filter((one) => one.errors.length === 0 && isMap(one.contents) && one.has("app")) : [];
  const names = apps.map((one) => String(one.get("app")));
  if (app !== null && names.length > 0 && !names.includes(app)) {
    throw new DroverError("USAGE", `--app says "${app}", but "${document.file}" declares ${names.map((name) => `"${name}"`).join(", ")}`, {
      hint: "Leave --app out, or change the manifest.",
    });
  }
  const [only] = apps;
  const isAlone = parsed.length === 1 && apps.length === 1 && only !== undefined;
  if (!isAlone || only.has("source") || only.contents === null || !isMap(only.contents) || only.contents.flow === true) return document;
  // At the end, so that every line keeps its number in errors.
  return { file: document.file, text: `${document.text.replace(/\n?(\.\.\.\s*)?$/, "\n")}source: .\n` };
}
