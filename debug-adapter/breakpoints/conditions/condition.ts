/** Condition, hit count and log message of one breakpoint, asked in this order at each hit. */
import type { HitContext } from '../types.js';
import { parseHitCondition } from './hitCount.js';
import { interpolate } from './logMessage.js';

export interface ConditionTexts {
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

/** What a hit comes to. `problem`: something could not be evaluated, and the breakpoint stops to say so. */
export type Verdict = 'pass' | { readonly problem?: string };

export class Condition {
  private hits = 0;
  private hasReported = false;
  private readonly enough: ((hits: number) => boolean) | undefined;
  /** Why the texts are wrong; undefined when they are not. */
  readonly error: string | undefined;

  constructor(
    private readonly texts: ConditionTexts,
    private readonly output: (text: string) => void,
  ) {
    const { hitCondition } = texts;
    this.enough = hitCondition ? parseHitCondition(hitCondition) : undefined;
    if (hitCondition && !this.enough) this.error = `"${hitCondition}" is no hit count such as 5, >= 5 or % 5`;
  }

  /** A log point answers 'pass' when its message is out. */
  ask(context: HitContext): Verdict {
    const { condition, logMessage } = this.texts;
    try {
      if (condition && context.evaluate(condition) === 0n) return 'pass';
    } catch (error) {
      return this.problem(`condition "${condition}"`, error);
    }
    this.hits++;
    if (this.enough && !this.enough(this.hits)) return 'pass';
    if (!logMessage) return {};
    try {
      this.output(`${interpolate(logMessage, context)}\n`);
      return 'pass';
    } catch (error) {
      return this.problem(`log message "${logMessage}"`, error);
    }
  }

  /** Every hit stops; the Debug Console hears of it once. */
  private problem(what: string, error: unknown): Verdict {
    const problem = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (!this.hasReported) this.output(`A breakpoint stops because of its ${problem}\n`);
    this.hasReported = true;
    return { problem };
  }
}
