//! Events that wait to be scattered together: blocks of paths whose surfaces are of one kind.

use crate::RenderScene;
use crate::bsdf::albedo::AlbedoTable;
use crate::columns::{BLOCK, Columnar, vectors, whole};
use crate::light::LightSample;
use crate::math::Vec3;
use crate::passes::{Splits, SplitsBlock};
use crate::ray::Hit;
use crate::scatter::{Arrival, Arrivals, Departure, Departures, scatter};
use crate::surface::{Look, Looks, Met, Mets, Place, Places};
use crate::tables::Instance;
use crate::trace::Path;

/// What is known of an event besides columns.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// The path's number in its wave.
    pub path: u32,
    /// Where its random numbers are.
    pub draw: u32,
    /// What its ray has met.
    pub hit: Hit,
    /// Whether that may emit.
    pub may_glow: bool,
}

/// Events at surfaces without layers.
///
/// Those of one block are all matte or all not, and all lie in one instance or know their places
/// already.
#[derive(Debug, Default)]
pub struct Events {
    given: Given,
    places: Places,
    outcome: Outcome,
    /// Whose they are.
    pub notes: Vec<Note>,
    /// The instance that all have met.
    instance: u32,
}

/// What is put into a block; what is found of it lies apart, as compilers have to see.
#[derive(Debug, Default)]
struct Given {
    incoming: <Vec3 as Columnar>::Columns,
    mets: Mets,
    looks: Looks,
    arrivals: Arrivals,
}

/// What became of a block's events.
#[derive(Debug, Default)]
struct Outcome {
    departures: Departures,
    splits: SplitsBlock,
}

vectors! {
    /// Finds places.
    fn locate(count: usize, instance: &Instance, given: &Given, places: &mut Places) {
        for at in 0..whole(count) {
            let incoming = Vec3::get(&given.incoming, at);
            Met::get(&given.mets, at).place(instance, incoming).set(places, at);
        }
    }
}

vectors! {
    /// Scatters.
    fn scatter_all<const MATTE: bool>(
        count: usize,
        albedo: &AlbedoTable,
        given: &Given,
        places: &Places,
        roulette: bool,
        departures: &mut Departures,
    ) {
        for at in 0..whole(count) {
            let surface = Place::get(places, at).with(Look::get(&given.looks, at), MATTE);
            let incoming = Vec3::get(&given.incoming, at);
            let arrival = Arrival::get(&given.arrivals, at);
            let (departure, _) =
                scatter(albedo, &surface, incoming, &arrival, Vec3::ONE, roulette);
            departure.set(departures, at);
        }
    }
}

vectors! {
    /// Scatters at surfaces with a lobe, and tells how they split light.
    fn scatter_split(
        count: usize,
        albedo: &AlbedoTable,
        given: &Given,
        places: &Places,
        roulette: bool,
        outcome: &mut Outcome,
    ) {
        for at in 0..whole(count) {
            let surface = Place::get(places, at).with(Look::get(&given.looks, at), false);
            let incoming = Vec3::get(&given.incoming, at);
            let arrival = Arrival::get(&given.arrivals, at);
            let (departure, split) =
                scatter(albedo, &surface, incoming, &arrival, Vec3::ONE, roulette);
            departure.set(&mut outcome.departures, at);
            split.set(&mut outcome.splits, at);
        }
    }
}

impl Events {
    /// Whether an event in an instance may be added.
    #[inline(always)]
    pub fn takes(&mut self, instance: u32) -> bool {
        if self.notes.is_empty() {
            self.instance = instance;
        }
        self.instance == instance
    }

    /// Adds an event at a triangle; returns whether the block is full now.
    #[inline(always)]
    pub fn push_met(&mut self, note: Note, incoming: Vec3, met: Met, look: Look) -> bool {
        let at = self.notes.len();
        met.set(&mut self.given.mets, at);
        self.push(note, incoming, look)
    }

    /// Adds an event at a place; returns whether the block is full now.
    #[inline(always)]
    pub fn push_place(&mut self, note: Note, incoming: Vec3, place: Place, look: Look) -> bool {
        let at = self.notes.len();
        place.set(&mut self.places, at);
        self.push(note, incoming, look)
    }

    #[inline(always)]
    fn push(&mut self, note: Note, incoming: Vec3, look: Look) -> bool {
        let at = self.notes.len();
        incoming.set(&mut self.given.incoming, at);
        look.set(&mut self.given.looks, at);
        self.notes.push(note);
        self.notes.len() == BLOCK
    }

    /// Finds the places of all triangles.
    pub fn locate(&mut self, scene: &RenderScene, path: Path) {
        let Some(instance) = scene.instances.get(self.instance as usize) else { return };
        locate(path, self.notes.len(), instance, &self.given, &mut self.places);
    }

    /// Place and base colour of an event.
    #[inline(always)]
    pub fn seen(&self, at: usize) -> (Place, Vec3) {
        (Place::get(&self.places, at), Look::get(&self.given.looks, at).base_color)
    }

    /// The direction of an event's ray.
    #[inline(always)]
    pub fn incoming(&self, at: usize) -> Vec3 {
        Vec3::get(&self.given.incoming, at)
    }

    /// Says what arrives at an event.
    #[inline(always)]
    pub fn light_up(&mut self, at: usize, arrival: Arrival) {
        arrival.set(&mut self.given.arrivals, at);
    }

    /// Scatters all.
    pub fn scatter<const MATTE: bool>(&mut self, albedo: &AlbedoTable, path: Path, roulette: bool) {
        let Self { given, places, outcome, notes, .. } = self;
        let departures = &mut outcome.departures;
        scatter_all::<MATTE>(path, notes.len(), albedo, given, places, roulette, departures);
    }

    /// Scatters all, which have a lobe, for [`Events::split`].
    pub fn scatter_split(&mut self, albedo: &AlbedoTable, path: Path, roulette: bool) {
        let Self { given, places, outcome, notes, .. } = self;
        scatter_split(path, notes.len(), albedo, given, places, roulette, outcome);
    }

    /// How an event splits light, after [`Events::scatter_split`].
    #[inline(always)]
    pub fn split(&self, at: usize) -> Splits {
        Splits::get(&self.outcome.splits, at)
    }

    /// What became of an event, and the light it was asked about.
    #[inline(always)]
    pub fn outcome(&self, at: usize) -> (LightSample, Departure) {
        let departure = Departure::get(&self.outcome.departures, at);
        (Arrival::get(&self.given.arrivals, at).light, departure)
    }
}
