/** A list of one page. */
export async function* onePage<Page>(page: Page): AsyncIterable<Page> {
  yield page;
}

/** One after the other, each page when the one before is done with. */
export async function* itemsOf<Item>(pages: AsyncIterable<Iterable<Item>>): AsyncIterable<Item> {
  for await (const page of pages) yield* page;
}
