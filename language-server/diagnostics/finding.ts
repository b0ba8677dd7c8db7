import type { Analysis, SourceRange } from '../../toolchain/assembler/analysis.js';
import type { AssemblySettings } from '../settings.js';

/** What Hyperstep finds wrong in a program that assembles: the knowledge of virtualization speaks. */
export interface Finding extends SourceRange {
  readonly code: string;
  readonly severity: 'warning' | 'information';
  readonly message: string;
  /** Places that explain it. */
  readonly related?: readonly { readonly place: SourceRange; readonly message: string }[];
}

/** A check of a whole program. */
export type Check = (analysis: Analysis, settings: AssemblySettings) => readonly Finding[];
