/** What a session is given by its surroundings. */
import type { Platform } from '../../toolchain/platform.js';
import type { Pacing } from '../runner/runner.js';

export interface SessionServices {
  readonly platform: Platform;
  readonly pacing: Pacing;
  readonly installFolder: string;
  /** `clientID` of the initialize request. */
  readonly client?: string;
}
