import { shortInstanceId } from "#model/names.ts";
import { styled, styleOf } from "../output/style.ts";
import { clockTime } from "../output/time.ts";

export interface ShownLine {
  readonly instance: string;
  readonly atMs: number;
  readonly text: string;
  readonly source: "app" | "drover";
}

/** `10:51:34.414 web.3.h4m9q  text`. @param name of the instance; its short one if left out */
export function logLine({ instance, atMs, text, source }: ShownLine, name = shortInstanceId(instance)): string {
  const said = source === "drover" ? styled("yellow", `[drover] ${text}`) : text;
  return `${styled("dim", clockTime(atMs))} ${styled(styleOf(name), name)} ${said}`;
}
