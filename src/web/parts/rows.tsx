import { Component, type ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { sameData } from "#model/same-data.ts";

/** Height of a row in pixels, as the style sheet has it: all are alike, so that a row's place needs no measuring. */
const rowHeight = 29;
/** Rows that are drawn above and below what can be seen, so that a quick turn of the wheel shows no gap. */
const overscan = 12;

export interface Column<T> {
  readonly name: string;
  readonly cell: (row: T) => ComponentChildren;
  /** Takes what the others leave. */
  readonly isWide?: boolean;
  readonly isNumber?: boolean;
  /** Goes where there is little room. */
  readonly isMinor?: boolean;
}

interface RowsProps<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
}

/** A table of any length: only the rows that can be seen are in the page. */
export function Rows<T>({ label, rows, columns, keyOf }: RowsProps<T>) {
  const table = useRef<HTMLTableElement>(null);
  const [range, setRange] = useState({ from: 0, to: 60 });
  useLayoutEffect(() => {
    const look = () => {
      if (table.current === null) return;
      const top = -table.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(top / rowHeight) - overscan);
      const to = Math.ceil((top + innerHeight) / rowHeight) + overscan;
      // In steps, so that not every turn of the wheel draws anew.
      const step = overscan / 2;
      const next = { from: Math.floor(from / step) * step, to: Math.ceil(Math.max(to, 0) / step) * step };
      setRange((last) => (last.from === next.from && last.to === next.to ? last : next));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [rows.length]);
  const from = Math.min(range.from, Math.max(0, rows.length - 1));
  const shown = rows.slice(from, range.to);
  const below = Math.max(0, rows.length - from - shown.length);
  return (
    <table ref={table} class="rows" aria-label={label} aria-rowcount={rows.length + 1}>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.name} scope="col" class={classOf(column)}>
              {column.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {from > 0 && <Gap rows={from} columns={columns.length} />}
        {shown.map((row, i) => (
          <Row key={keyOf(row)} row={row} index={from + i + 2} columns={columns as readonly Column<unknown>[]} />
        ))}
        {below > 0 && <Gap rows={below} columns={columns.length} />}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly row: unknown;
  /** Of the whole table, its head being the first. */
  readonly index: number;
  readonly columns: readonly Column<unknown>[];
}

/** Drawn anew only when what it shows is another: a list that came anew is mostly the same, and scrolling changes no row. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps, state: unknown): boolean {
    // Another state: a signal that a cell reads has changed.
    if (state !== this.state || next.index !== this.props.index || next.columns !== this.props.columns) return true;
    return next.row !== this.props.row && !sameData(next.row, this.props.row);
  }

  override render({ row, index, columns }: RowProps) {
    return (
      <tr aria-rowindex={index}>
        {columns.map((column) => (
          <td key={column.name} class={classOf(column)}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
    );
  }
}

function Gap({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus
    <tr aria-hidden="true" style={{ height: `${rows * rowHeight}px` }}>
      <td colSpan={columns} />
    </tr>
  );
}

function classOf<T>({ isWide, isNumber, isMinor }: Column<T>): string | undefined {
  const classes = [isWide === true && "wide", isNumber === true && "number", isMinor === true && "minor"].filter(Boolean);
  return classes.length === 0 ? undefined : classes.join(" ");
}
