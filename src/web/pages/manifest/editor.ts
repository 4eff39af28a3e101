import { autocompletion, type CompletionContext, type CompletionResult, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { ManifestProblem } from "#model/api.ts";
import { styleNonce } from "../../parts/style-nonce.ts";
import { visibleText } from "../../parts/visible-text.ts";
import { keysAt, pathAtEnd, type Schema, valuesAt } from "./schema-keys.ts";

export interface Editor {
  setText(text: string): void;
  /** Marks what the server found wrong, at its places. */
  show(problems: readonly ManifestProblem[]): void;
  close(): void;
}

interface EditorOptions {
  readonly text: string;
  /** Says what may stand where. */
  readonly schema: Schema;
  /** Gets the whole text after each change. */
  readonly onChange: (text: string) => void;
}

/** An editor of manifests in `parent`. */
export function openEditor(parent: HTMLElement, { text, schema, onChange }: EditorOptions): Editor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(styleNonce()),
        EditorView.contentAttributes.of({ "aria-label": "Manifest" }),
        lineNumbers(),
        history(),
        indentOnInput(),
        bracketMatching(),
        yaml(),
        syntaxHighlighting(highlights),
        lintGutter(),
        autocompletion({ override: [(context) => complete(schema, context)] }),
        // Tab goes on to what follows the editor, so that the keyboard is not caught in it.
        keymap.of([...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    show: (problems) => {
      const { doc } = view.state;
      const diagnostics = problems.map(({ line: number, column, found, wanted, nearest }) => {
        // What the server read may be older than what stands here now.
        const line = doc.line(Math.min(Math.max(number, 1), doc.lines));
        const from = Math.min(line.from + Math.max(column - 1, 0), line.to);
        const hint = nearest === null ? "" : `; did you mean "${nearest}"?`;
        return { from, to: line.to, severity: "error" as const, message: visibleText(`found ${found}, wanted ${wanted}${hint}`) };
      });
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
    close: () => view.destroy(),
  };
}

function complete(schema: Schema, context: CompletionContext): CompletionResult | null {
  const before = context.state.sliceDoc(0, context.pos);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const value = /^(?<lead>\s*(?:- +)*)(?<key>[\w-]+): +(?<typed>[\w-]*)$/.exec(line)?.groups;
  if (value !== undefined) {
    const typed = value["typed"] ?? "";
    const path = [...pathAtEnd(before.slice(0, before.length - line.length) + (value["lead"] ?? "")), value["key"] ?? ""];
    const options = valuesAt(schema, path).map((label) => ({ label }));
    return options.length === 0 ? null : { from: context.pos - typed.length, options, validFor: /^[\w-]*$/ };
  }
  const typed = /^\s*(?:- +)*([\w-]*)$/.exec(line)?.[1];
  if (typed === undefined || (typed === "" && !context.explicit)) return null;
  const keys = keysAt(schema, pathAtEnd(before.slice(0, before.length - typed.length)));
  const options = keys.map(({ name, description }) => ({ label: name, apply: `${name}: `, info: description }));
  return { from: context.pos - typed.length, options, validFor: /^[\w-]*$/ };
}

const highlights = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--muted)" },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: "var(--muted)" },
]);
