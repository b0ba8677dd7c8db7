/** A line of a tree before it becomes a `TreeItem`: what can be tested without VS Code. */
export interface Row {
  label: string;
  description?: string;
  tooltip?: string;
  /**
   * Differs from the stop before (or, in a hypercall, from before the call): shown in the colour of a change. Undefined
   * in rows that are no values.
   */
  changed?: boolean;
  /** The text that *Copy Value* puts on the clipboard. */
  copyText?: string;
  place?: Place;
}

/** A source line, 1-based. */
export interface Place {
  file: string;
  line: number;
}
