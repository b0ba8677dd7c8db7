/** What changed since the last stop: values remembered by key, compared when they are shown. */

export class Changes {
  private current = new Map<string, string>();
  private previous = new Map<string, string>();

  /** The machine goes on: what was seen becomes what new values are compared with. Keys not seen keep their value. */
  nextStop(): void {
    for (const [key, value] of this.current) this.previous.set(key, value);
    this.current = new Map();
  }

  /** A restart: nothing was seen. */
  clear(): void {
    this.current.clear();
    this.previous.clear();
  }

  /** Remembers a value of this stop; true when it was another at the stop before. */
  isChanged(key: string, value: string): boolean {
    this.current.set(key, value);
    const before = this.previous.get(key);
    return before !== undefined && before !== value;
  }
}
