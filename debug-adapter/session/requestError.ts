/** A request that cannot be answered: the message is for the user. */
export class RequestError extends Error {
  constructor(
    message: string,
    /** VS Code shows a dialog; else only the place that asked shows it. */
    readonly showUser = false,
  ) {
    super(message);
    this.name = 'RequestError';
  }
}
