import { DroverError } from "#model/errors.ts";

/** As `namePattern` in `#model/names.ts`, which loads the schema library. */
const longestName = 40;

/** An app's name from that of a folder or file: `My Shop_2` → `my-shop-2`. @throws {DroverError} NAME_INVALID if nothing of it can be used */
export function nameFrom(text: string, what: string): string {
  const name = text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, longestName)
    .replace(/^-+|-+$/g, "");
  if (name !== "") return name;
  throw new DroverError("NAME_INVALID", `no app name can be made from that of ${what}, "${text}"`, { hint: "Give one with --app." });
}
