package main

import (
	"errors"
	"sync/atomic"

	"go.uber.org/fx"
	"go.uber.org/zap"
)

var errClosed = errors.New("the database is closed")

// database pretends to be a database. What matters is when it is closed.
type database struct{ open atomic.Bool }

type item struct {
	Name  string `json:"name"`
	Price int    `json:"price"`
}

func newDatabase(lc fx.Lifecycle, log *zap.Logger) *database {
	db := new(database)
	lc.Append(fx.StartStopHook(
		func() {
			db.open.Store(true)
			log.Info("database opened")
		},
		func() {
			db.open.Store(false)
			log.Info("database closed")
		},
	))
	return db
}

func (db *database) item(name string) (item, error) {
	if !db.open.Load() {
		return item{}, errClosed
	}
	return item{Name: name, Price: 7 * len(name)}, nil
}

func (db *database) count() (int, error) {
	if !db.open.Load() {
		return 0, errClosed
	}
	return 42, nil
}
