import assert from 'node:assert/strict';
import { Throttle } from '../throttle.js';

const INTERVAL_MS = 40;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

describe('Throttle', () => {
  it('runs a burst of requests twice: at once, and after the interval for the last state', async () => {
    let state = 0;
    const seen: number[] = [];
    const throttle = new Throttle(INTERVAL_MS, () => {
      seen.push(state);
      return Promise.resolve();
    });
    throttle.request();
    await pause(5);
    for (state = 1; state < 10; state++) throttle.request();
    await pause(3 * INTERVAL_MS);
    assert.deepEqual(seen, [0, 10]);
  });

  it('never runs twice at a time and does not lose a request that came during a run', async () => {
    let running = 0;
    let runs = 0;
    const throttle = new Throttle(0, async () => {
      runs++;
      assert.equal(++running, 1);
      await pause(20);
      running--;
    });
    throttle.request();
    await pause(5);
    throttle.requestNow();
    throttle.request();
    await pause(60);
    assert.equal(runs, 2);
  });
});
