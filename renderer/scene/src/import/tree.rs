//! The node tree, its cameras and its lights.

use super::error::ImportError;
use super::json;
use super::report::ImportWarning;
use super::{Importer, name};
use crate::model::{Camera, Light, LightKind, Node, Projection, Transform};

impl Importer<'_> {
    /// Reads the shown scene's nodes, parents before their children.
    pub fn read_tree(&mut self) -> Result<(), ImportError> {
        let root = self.data.root;
        let parents = parents(&root.nodes)?;
        let roots: Vec<u32> = match root.scene {
            Some(index) => self.scene_roots(index)?,
            None if !root.scenes.is_empty() => self.scene_roots(0)?,
            None => (0_u32..).zip(&parents).filter(|(_, p)| p.is_none()).map(|(n, _)| n).collect(),
        };
        for &node in &roots {
            super::at(("scene", root.scene.unwrap_or(0) as usize), "node", node, &root.nodes)?;
            if parents[node as usize].is_some() {
                let (node, problem) = (node as usize, "is a scene's root and another's child");
                return Err(ImportError::NodeTree { node, problem });
            }
        }

        // Walk without recursion: a deep tree must not exhaust the stack.
        let mut seen = vec![false; root.nodes.len()];
        let mut waiting: Vec<(u32, Option<u32>)> =
            roots.iter().rev().map(|&node| (node, None)).collect();
        while let Some((index, parent)) = waiting.pop() {
            if std::mem::replace(&mut seen[index as usize], true) {
                let problem = "is listed twice";
                return Err(ImportError::NodeTree { node: index as usize, problem });
            }
            let source = &root.nodes[index as usize];
            let node = self.convert_node(index, parent, source)?;
            let taken = super::push(&mut self.scene.nodes, node);
            self.shown[index as usize] = Some(taken);
            self.read_node_extras(taken, source)?;
            self.add_instances(index, taken, source)?;
            waiting.extend(source.children.iter().rev().map(|&child| (child, Some(taken))));
        }
        Ok(())
    }

    fn scene_roots(&mut self, index: u32) -> Result<Vec<u32>, ImportError> {
        let scenes = &self.data.root.scenes;
        let scene = super::at(("the default scene", 0), "scene", index, scenes)?;
        if scenes.len() > 1 {
            self.warnings.push(ImportWarning::OtherScenes { count: scenes.len() - 1 });
        }
        if let Some(text) = &scene.name {
            self.scene.name = super::cut(text);
        }
        self.read_scene_extras(index, scene)?;
        Ok(scene.nodes.to_vec())
    }

    fn convert_node(
        &mut self,
        index: u32,
        parent: Option<u32>,
        source: &json::Node,
    ) -> Result<Node, ImportError> {
        let mesh = source.mesh.map(|mesh| self.mesh(index as usize, mesh)).transpose()?;
        let camera = source.camera.map(|camera| self.camera(index, camera, source)).transpose()?;
        let lights = source.extensions.known().and_then(|known| known.lights.as_ref());
        let light = lights.and_then(|lights| lights.light);
        let light = light.map(|light| self.light(index, light, source)).transpose()?;
        let name = name(source.name.as_deref(), "node", index);
        let trs = [source.translation.is_some(), source.rotation.is_some(), source.scale.is_some()];
        if source.matrix.is_some() && trs.contains(&true) {
            self.warnings.push(ImportWarning::TwoTransforms { node: name.clone() });
        }
        // Weights without anything to weigh mean nothing.
        let shown = mesh.map(|mesh| &self.scene.meshes[mesh as usize]);
        let has_parts = shown.is_some_and(|mesh| !mesh.primitives.is_empty());
        let weights = if has_parts { source.weights.to_vec() } else { Vec::new() };
        let transform = transform(source);
        Ok(Node { name, parent, transform, mesh, camera, light, skin: None, weights })
    }

    /// `EXT_mesh_gpu_instancing`: the node's mesh moves to children of it, one an instance.
    fn add_instances(
        &mut self,
        index: u32,
        node: u32,
        source: &json::Node,
    ) -> Result<(), ImportError> {
        let known = source.extensions.known().and_then(|known| known.instancing.as_ref());
        let Some(instancing) = known else { return Ok(()) };
        let Some(mesh) = self.scene.nodes[node as usize].mesh.take() else { return Ok(()) };
        for (attribute, _accessor) in &instancing.attributes.0 {
            if !["TRANSLATION", "ROTATION", "SCALE"].contains(&attribute.as_str()) {
                let name = attribute.chars().take(80).collect();
                self.warnings.push(ImportWarning::Attribute { name });
            }
        }
        let translations: Vec<[f32; 3]> = self.instance_values(instancing, "TRANSLATION")?;
        let rotations: Vec<[f32; 4]> = self.instance_values(instancing, "ROTATION")?;
        let scales: Vec<[f32; 3]> = self.instance_values(instancing, "SCALE")?;
        let instances = translations.len().max(rotations.len()).max(scales.len());
        let lists = [
            ("TRANSLATION", translations.len()),
            ("ROTATION", rotations.len()),
            ("SCALE", scales.len()),
        ];
        for (attribute, count) in lists {
            if count != 0 && count != instances {
                return Err(ImportError::Instances { node: index, attribute, count, instances });
            }
        }
        let weights = std::mem::take(&mut self.scene.nodes[node as usize].weights);
        let size = size_of::<Node>() + size_of_val(weights.as_slice());
        self.take((instances * size) as u64, "instances")?;
        for instance in 0..instances {
            self.scene.nodes.push(Node {
                name: String::new(),
                parent: Some(node),
                transform: trs(
                    translations.get(instance).copied(),
                    rotations.get(instance).copied(),
                    scales.get(instance).copied(),
                ),
                mesh: Some(mesh),
                weights: weights.clone(),
                ..Node::default()
            });
        }
        Ok(())
    }

    fn instance_values<const N: usize>(
        &mut self,
        instancing: &json::Instancing,
        attribute: &str,
    ) -> Result<Vec<[f32; N]>, ImportError> {
        let Some(accessor) = instancing.attributes.get(attribute) else { return Ok(Vec::new()) };
        self.data
            .floats(accessor, &mut self.budget)
            .map_err(|problem| ImportError::Accessor { accessor, problem })
    }

    fn camera(&mut self, node: u32, index: u32, owner: &json::Node) -> Result<u32, ImportError> {
        if let Some(&taken) = self.cameras.get(&index) {
            return Ok(taken);
        }
        let cameras = &self.data.root.cameras;
        let source = super::at(("node", node as usize), "camera", index, cameras)?;
        let missing =
            |what| ImportError::Missing { owner: "camera", owner_index: index as usize, what };
        let projection = match source.kind.as_str() {
            "perspective" => Projection::Perspective {
                vfov: source.perspective.as_ref().ok_or(missing("perspective"))?.yfov,
            },
            "orthographic" => Projection::Orthographic {
                // A negative magnification mirrors the picture; its size is what we read.
                half_height: source
                    .orthographic
                    .as_ref()
                    .ok_or(missing("orthographic"))?
                    .ymag
                    .abs(),
            },
            value => return Err(super::word("camera", index, "type", value)),
        };
        let text = source.name.as_deref().or(owner.name.as_deref());
        let name = name(text, "camera", index);
        let lens = self.lens(&name, &source.extras, &projection)?;
        let camera = Camera { name, projection, lens };
        let taken = super::push(&mut self.scene.cameras, camera);
        self.cameras.insert(index, taken);
        Ok(taken)
    }

    fn light(&mut self, node: u32, index: u32, owner: &json::Node) -> Result<u32, ImportError> {
        if let Some(&taken) = self.lights.get(&index) {
            return Ok(taken);
        }
        let lights = self.data.root.extensions.known().and_then(|known| known.lights.as_ref());
        let lights = lights.map_or(&[][..], |lights| &lights.lights);
        let source = super::at(("node", node as usize), "light", index, lights)?;
        let text = source.name.as_deref().or(owner.name.as_deref());
        let name = name(text, "light", index);
        let kind = match source.kind.as_str() {
            "directional" => LightKind::Directional,
            "point" => LightKind::Point,
            "spot" => self.spot(&name, source.spot.as_ref()),
            value => return Err(super::word("light", index, "type", value)),
        };
        let unit = self.lamps.factor(kind);
        let intensity = source.color.map(|color| color * source.intensity * unit);
        // The extension gives a directional light no range.
        let range = source.range.filter(|_range| kind != LightKind::Directional);
        let (radius, angle) = self.lamp_size(&name, &source.extras, kind)?;
        let light = Light { name, intensity, kind, range, radius, angle };
        let taken = super::push(&mut self.scene.lights, light);
        self.lights.insert(index, taken);
        Ok(taken)
    }

    /// The cones, in order: 0 ≤ inner < outer ≤ π/2.
    fn spot(&mut self, light: &str, spot: Option<&json::Spot>) -> LightKind {
        let outer = spot.and_then(|spot| spot.outer_cone_angle);
        let outer = outer.unwrap_or(std::f32::consts::FRAC_PI_4);
        let inner = spot.map_or(0.0, |spot| spot.inner_cone_angle);
        let outer_cone = outer.clamp(1e-3, std::f32::consts::FRAC_PI_2);
        let inner_cone = inner.clamp(0.0, outer_cone);
        // Exporters write π/2 and its neighbours in `f32`.
        if (outer - outer_cone).abs() > 1e-4 || (inner - inner_cone).abs() > 1e-4 {
            self.warnings.push(ImportWarning::SpotCones { light: light.to_owned() });
        }
        LightKind::Spot { inner_cone, outer_cone }
    }
}

/// Every node's parent. Each has at most one, and none is its own ancestor.
fn parents(nodes: &[json::Node]) -> Result<Vec<Option<u32>>, ImportError> {
    let mut parents = vec![None; nodes.len()];
    for (index, node) in (0_u32..).zip(nodes) {
        for &child in node.children.iter() {
            super::at(("node", index as usize), "child node", child, nodes)?;
            if parents[child as usize].replace(index).is_some() {
                let (node, problem) = (child as usize, "has two parents");
                return Err(ImportError::NodeTree { node, problem });
            }
        }
    }
    // With one parent each, whatever the roots do not reach lies on a cycle or hangs from one.
    let mut reached = vec![false; nodes.len()];
    let mut waiting: Vec<usize> =
        (0..nodes.len()).filter(|&node| parents[node].is_none()).collect();
    while let Some(node) = waiting.pop() {
        reached[node] = true;
        waiting.extend(nodes[node].children.iter().map(|&child| child as usize));
    }
    match reached.iter().position(|reached| !reached) {
        Some(node) => {
            let problem = "is its own ancestor, or a descendant of one that is";
            Err(ImportError::NodeTree { node, problem })
        }
        None => Ok(parents),
    }
}

fn transform(source: &json::Node) -> Transform {
    if let Some(matrix) = &source.matrix {
        let columns = matrix.as_chunks::<4>().0;
        return Transform::Matrix([columns[0], columns[1], columns[2], columns[3]]);
    }
    trs(source.translation, source.rotation, source.scale)
}

fn trs(
    translation: Option<[f32; 3]>,
    rotation: Option<[f32; 4]>,
    scale: Option<[f32; 3]>,
) -> Transform {
    let rotation = rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]);
    // A rotation of no direction stays as it is, for validation to name.
    let rotation = glam::Vec4::from(rotation).as_dvec4();
    let rotation = rotation.try_normalize().unwrap_or(rotation).as_vec4().into();
    Transform::Trs {
        translation: translation.unwrap_or_default(),
        rotation,
        scale: scale.unwrap_or([1.0; 3]),
    }
}
