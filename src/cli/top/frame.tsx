import { Box, renderToString, Text } from 'ink'
import type { ReactElement } from 'react'

/** What is seen, line by line; every line is cut and escaped already. */
export interface Parts {
  readonly header: readonly string[]
  /** To the left of the rows, where there is something to choose: lines of the same width. */
  readonly list: readonly string[]
  readonly rows: readonly string[]
  /** How many lines the rows and the list have. */
  readonly height: number
  readonly footer: readonly string[]
}

const FIRST_MARK = 0xe000
const MARK = /[\ue000-\uf8ff]/g // the private use area has room for 6,400 lines

/**
 * The lines of the whole screen, from the top. Ink takes each text apart into cells, 60 ms long for a screen of 200x50: so
 * it arranges marks, of one cell each, and the lines take their places.
 */
export function frameLines(parts: Parts): string[] {
  const lines: string[] = []
  const marked = (some: readonly string[]): string[] =>
    some.map((line) => String.fromCharCode(FIRST_MARK + lines.push(line) - 1))
  const { header, list, rows, height, footer } = parts
  const layout = renderToString(
    <Box flexDirection="column">
      <Column marks={marked(header)} />
      <Box height={height} columnGap={1}>
        <Column marks={marked(list)} />
        <Column marks={marked(rows)} />
      </Box>
      <Column marks={marked(footer)} />
    </Box>,
    { columns: WIDEST },
  )
  return layout
    .split('\n')
    .map((line) => line.replace(MARK, (mark) => lines[mark.charCodeAt(0) - FIRST_MARK]!))
}

/** Mark of a list, gap, mark of a row. */
const WIDEST = 3

const Column = ({ marks }: { readonly marks: readonly string[] }): ReactElement | undefined =>
  marks.length === 0 ? undefined : (
    <Box flexDirection="column" flexShrink={0}>
      {marks.map((mark) => (
        <Text key={mark}>{mark}</Text>
      ))}
    </Box>
  )
