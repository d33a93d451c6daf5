package tiny

import "testing"

func TestMax(t *testing.T) {
	if Max(1, 2) != 2 || Max(2, 1) != 2 {
		t.Error("Max is not the greater one")
	}
}

func TestDrain(t *testing.T) {
	if n := Drain(3); n != 0 {
		t.Errorf("Drain(3) = %d, want 0", n)
	}
}
