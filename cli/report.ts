/** What a command adds to a run: it observes the machine, prints lines, and finishes. */
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';

export type Report = (
  launch: PreparedLaunch,
  print: (line: string) => void,
  json: boolean,
) => {
  finish(): void;
  /** The report has what it wants: the run may end. */
  isDone?(): boolean;
};
