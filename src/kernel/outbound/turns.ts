/** Requests under way, in all and to each host. Those beyond the limits wait for their turn in the order they came. */
export class Turns {
  readonly #limits: { readonly underWayMax: number; readonly underWayOfHostMax: number; readonly waitingMax: number };
  readonly #ofHost = new Map<string, number>();
  #waiting: { readonly host: string; readonly begin: () => void }[] = [];
  #underWay = 0;

  constructor(limits: { underWayMax: number; underWayOfHostMax: number; waitingMax: number }) {
    this.#limits = limits;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Takes a turn; returns the function that ends it, or undefined when too many wait. Rejects when the signal fires. */
  async take(host: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    signal.throwIfAborted();
    if (!this.#isFree(host)) {
      if (this.#waiting.length >= this.#limits.waitingMax) return undefined;
      await this.#turnOf(host, signal);
    } else this.#count(host, 1);
    return () => {
      this.#count(host, -1);
      this.#beginNext();
    };
  }

  #turnOf(host: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(signal.reason);
      };
      const waiting = {
        host,
        begin: () => {
          signal.removeEventListener('abort', leave);
          this.#count(host, 1);
          resolve();
        },
      };
      this.#waiting.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #beginNext(): void {
    const at = this.#waiting.findIndex(({ host }) => this.#isFree(host));
    if (at === -1) return;
    const [next] = this.#waiting.splice(at, 1);
    next?.begin();
  }

  #isFree(host: string): boolean {
    const { underWayMax, underWayOfHostMax } = this.#limits;
    return this.#underWay < underWayMax && (this.#ofHost.get(host) ?? 0) < underWayOfHostMax;
  }

  #count(host: string, change: 1 | -1): void {
    this.#underWay += change;
    const ofHost = (this.#ofHost.get(host) ?? 0) + change;
    if (ofHost === 0) this.#ofHost.delete(host);
    else this.#ofHost.set(host, ofHost);
  }
}
