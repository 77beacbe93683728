package frames

// OnStep lets f see, and fail, every change of the disk but those of the frames.
func OnStep(x *Index, f func(what string) error) { x.folder.Step = f }

// ReadReel reads an image that may be anything, and every mean in it.
func ReadReel(image []byte) error {
	r, err := openReel(image)
	if err != nil {
		return err
	}
	for _, e := range r.entries {
		if e.Mean > 0 {
			if _, err := r.mean(e); err != nil {
				return err
			}
		}
	}
	return nil
}
