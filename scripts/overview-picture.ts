// Draws docs/overview.svg, the README's picture of the web UI: the real page, over the example shop, as text and lines of an SVG.
// Usage: node scripts/overview-picture.ts
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root, TestDrover } from "../test/harness/drover.ts";
import { WebBrowser } from "../test/web/browser.ts";

const size = { width: 1000, height: 470 };
/** As most people have it; the page itself takes what the system has. */
const fonts = { text: "system-ui, 'Segoe UI', 'Noto Sans', sans-serif", mono: "ui-monospace, 'DejaVu Sans Mono', monospace" };

interface Drawn {
  readonly texts: readonly {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly text: string;
    readonly colour: string;
    readonly px: number;
    readonly weight: string;
    readonly isMono: boolean;
  }[];
  readonly boxes: readonly {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly fill: string;
    readonly stroke: string;
  }[];
}

/** Run in the page: what is to be seen, and where. */
const look = `(() => {
  const texts = [], boxes = [];
  const clear = "rgba(0, 0, 0, 0)";
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (!element.checkVisibility() || box.width < 2 || box.height < 2 || element.closest(".unseen, .skip, dialog, option")) continue;
    const sides = ["Top", "Right", "Bottom", "Left"].filter((side) => parseFloat(style["border" + side + "Width"]) > 0 && style["border" + side + "Color"] !== clear);
    if (style.backgroundColor !== clear || sides.length === 4)
      boxes.push({ x: box.x, y: box.y, width: box.width, height: box.height, fill: style.backgroundColor, stroke: sides.length === 4 ? style.borderTopColor : clear });
    if (sides.length === 1 && sides[0] === "Bottom")
      boxes.push({ x: box.x, y: box.bottom - 1, width: box.width, height: 1, fill: style.borderBottomColor, stroke: clear });
    const put = (text, at) => {
      const shown = text.replace(/\\s+/g, " ");
      if (shown.trim() === "" || at.width < 2) return;
      texts.push({ x: at.x, y: at.bottom - at.height * 0.26, width: at.width, text: shown, colour: style.color, px: parseFloat(style.fontSize), weight: style.fontWeight, isMono: style.fontFamily.includes("mono") });
    };
    if (element instanceof HTMLSelectElement || element instanceof HTMLInputElement) {
      const shown = element instanceof HTMLSelectElement ? element.selectedOptions[0]?.text ?? "" : element.value || element.placeholder;
      put(shown, new DOMRect(box.x + 9, box.y + 3, shown.length * 5.6, box.height - 6));
      continue;
    }
    for (const node of element.childNodes) {
      if (node.nodeType !== Node.TEXT_NODE) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      put(node.data, range.getBoundingClientRect());
    }
  }
  return { texts, boxes };
})()`;

function draw({ texts, boxes }: Drawn): string {
  const round = (value: number) => Math.round(value * 10) / 10;
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const clear = "rgba(0, 0, 0, 0)";
  const shapes = boxes
    .filter(({ y }) => y < size.height)
    .map(({ x, y, width, height, fill, stroke }) => {
      const corners = height > 4 && width < size.width ? ' rx="4"' : "";
      const line = stroke === clear ? "" : ` stroke="${stroke}"`;
      return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"${corners} fill="${fill === clear ? "none" : fill}"${line}/>`;
    });
  const words = texts
    .filter(({ y }) => y < size.height)
    .map(({ x, y, width, text, colour, px, weight, isMono }) => {
      const font = isMono ? ' class="m"' : "";
      const bold = Number(weight) > 500 ? ' font-weight="600"' : "";
      return `<text x="${round(x)}" y="${round(y)}" textLength="${round(width)}" lengthAdjust="spacingAndGlyphs" font-size="${px}" fill="${colour}"${bold}${font}>${escaped(text)}</text>`;
    });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="${fonts.text}">`,
    "<title>The overview of the web UI: the apps of the example shop, all ready</title>",
    `<style>text{white-space:pre}.m{font-family:${fonts.mono}}</style>`,
    `<rect width="${size.width}" height="${size.height}" fill="#fff"/>`,
    ...shapes,
    ...words,
    "</svg>",
    "",
  ].join("\n");
}

await using drover = await TestDrover.start({ args: ["--apply", join(root, "examples", "shop")] });
await drover.until("the shop is up", async () => {
  const { apps } = JSON.parse(await drover.run("apps", "--json")) as { apps: readonly { health: string }[] };
  return apps.length >= 5 && apps.every(({ health }) => health === "ready");
});
await using web = await WebBrowser.open((await drover.run("ui", "--print")).trim());
await web.page.setViewportSize(size);
await web.page.getByRole("row", { name: /shop\/web/ }).waitFor();
const drawn = (await web.page.evaluate(look)) as Drawn;
// The usual ports in place of this run's own.
const ports = (text: string) =>
  text.replaceAll(String(drover.edgePort), "8080").replaceAll(String(drover.apiPort), "7373").replaceAll(String(drover.tlsPort), "8443");
await writeFile(join(root, "docs", "overview.svg"), ports(draw(drawn)));
