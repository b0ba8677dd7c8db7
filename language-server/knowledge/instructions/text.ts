/** How the instruction texts are written: our words, from SDM volume 2 and APM volume 3. */
export type InstructionText = readonly [
  /** Intel's mnemonics, lower case, separated by spaces. */
  mnemonics: string,
  title: string,
  /** What it does, in one or two lines. */
  operation: string,
  /** Who may execute it, where that is more than a yes or no. */
  privilege?: string,
];

export const CPL0 = 'CPL 0, else #GP(0)';
export const IOPL = 'CPL ≤ IOPL, or the I/O permission bitmap allows the port; else #GP(0)';
