/** What is seen, line by line; every line is cut and escaped already. */
export interface Parts {
  readonly header: readonly string[]
  /** To the left of the rows, where there is something to choose: as many lines, all of the same width. */
  readonly list: readonly string[]
  readonly rows: readonly string[]
  /** How many lines the rows and the list have. */
  readonly height: number
  readonly footer: readonly string[]
}

/** The lines of the whole screen, from the top. */
export function frameLines({ header, list, rows, height, footer }: Parts): string[] {
  const body = Array.from({ length: height }, (_, index) => {
    const row = rows[index] ?? ''
    return list.length === 0 ? row : `${list[index]} ${row}`
  })
  return [...header, ...body, ...footer]
}
