const STEP_MS = 50;

/** Waits until `read` answers something true and answers it; fails after `limitMs`, naming what was waited for. */
export async function until<Value>(
  read: () => Value | undefined | false | null,
  what: string,
  limitMs = 20_000,
): Promise<Value> {
  for (const end = Date.now() + limitMs; Date.now() < end;) {
    const value = read();
    if (value) return value;
    await new Promise((resolve) => {
      setTimeout(resolve, STEP_MS);
    });
  }
  throw new Error(`Waited ${limitMs} ms in vain for ${what}.`);
}
