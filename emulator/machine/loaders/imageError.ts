/** An image that cannot be loaded: the message names the file and the reason. */
export class ImageError extends Error {
  constructor(
    readonly imageName: string,
    readonly reason: string,
  ) {
    super(`${imageName}: ${reason}`);
    this.name = 'ImageError';
  }
}
