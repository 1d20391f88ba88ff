import { Box, renderToString, Text } from 'ink'
import type { ReactElement } from 'react'

/** What is seen, line by line; every line is cut, filled and escaped already. */
export interface Parts {
  readonly header: readonly string[]
  /** To the left of the rows, where there is a list to choose from. */
  readonly list: readonly string[]
  readonly rows: readonly string[]
  /** How many lines the rows and the list have, at most and at least. */
  readonly height: number
  readonly footer: readonly string[]
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

const Lines = ({ lines }: { readonly lines: readonly string[] }): ReactElement => (
  <>
    {lines.map((line, at) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
      <Text key={at} wrap="truncate-end">
        {line === '' ? ' ' : line}
      </Text>
    ))}
  </>
)

const Frame = ({ header, list, rows, height, footer }: Parts): ReactElement => (
  <Box flexDirection="column">
    <Lines lines={header} />
    <Box height={height}>
      {list.length > 0 && (
        <Box flexDirection="column" flexShrink={0} marginRight={1}>
          <Lines lines={list} />
        </Box>
      )}
      <Box flexDirection="column">
        <Lines lines={rows} />
      </Box>
    </Box>
    <Lines lines={footer} />
  </Box>
)

/** The lines of the whole screen, from the top. */
export const frameLines = (parts: Parts, { columns, rows }: Size): string[] =>
  renderToString(<Frame {...parts} />, { columns })
    .split('\n')
    .slice(0, rows)
