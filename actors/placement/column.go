package placement

import "slices"

// pieceSize is how many rows of a column are copied to change one.
const pieceSize = 256

// column is a list of fixed length of which a fork shares what neither changes.
type column[T any] struct {
	pieces [][]T
	own    []bool // pieces that no other column has
}

func newColumn[T any](rows []T) column[T] {
	c := column[T]{}
	for len(rows) > 0 {
		n := min(pieceSize, len(rows))
		c.pieces = append(c.pieces, rows[:n:n])
		c.own = append(c.own, true)
		rows = rows[n:]
	}
	return c
}

// fork is a column of the same rows. c itself may not be changed any more.
func (c column[T]) fork() column[T] {
	return column[T]{slices.Clone(c.pieces), make([]bool, len(c.pieces))}
}

func (c column[T]) at(i int) *T { return &c.pieces[i/pieceSize][i%pieceSize] }

func (c column[T]) set(i int, v T) {
	p := i / pieceSize
	if !c.own[p] {
		c.pieces[p], c.own[p] = slices.Clone(c.pieces[p]), true
	}
	c.pieces[p][i%pieceSize] = v
}
