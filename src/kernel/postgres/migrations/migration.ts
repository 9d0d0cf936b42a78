/** One step of the schema. Never altered after it landed: a database has either none of it or all of it. */
export interface Migration {
  /** Unlike that of every other, in whatever module. New ones are YYYYMMDDNN: the day, and a number of that day. */
  readonly number: number;
  readonly name: string;
  /**
   * The lowest schema number that a program must know to work on a database with this step. A step that only adds
   * names the number before it, so that processes of the previous version go on during an upgrade.
   */
  readonly needs: number;
  readonly sql: string;
}
